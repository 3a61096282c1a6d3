import java.io.*;
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

/** A typical program. It prints nothing, and leaves standard input untouched for the job's program. */
public class Sample {
    interface Shape {
        double area();
    }

    record Square(double side) implements Shape {
        public double area() {
            return side * side;
        }
    }

    enum Kind { A, B }

    static <T extends Comparable<T>> T max(List<T> list) {
        return Collections.max(list);
    }

    static Map<String, Integer> count(String text) throws IOException {
        Map<String, Integer> counts = new TreeMap<>();
        try (BufferedReader in = new BufferedReader(new InputStreamReader(new ByteArrayInputStream(text.getBytes())))) {
            for (String line; (line = in.readLine()) != null;)
                for (String word : line.split("\\s+"))
                    counts.merge(word, 1, Integer::sum);
        }
        return counts;
    }

    static int scan(String text) {
        int sum = 0;
        for (Scanner in = new Scanner(text); in.hasNextInt();)
            sum += in.nextInt();
        return sum;
    }

    public static void main(String[] args) throws IOException {
        int n = Integer.parseInt(args[0]);
        int[] numbers = new int[10];
        for (int i = 0; i < numbers.length; i++)
            numbers[i] = i % 3 == 0 ? i * 2 : i;
        String text = Arrays.stream(numbers).boxed().map(i -> "x" + i).collect(Collectors.joining(","));
        switch (Kind.A) {
            case A -> text += n + ":" + 1.5 + 'c' + true;
            default -> throw new IllegalStateException();
        }
        try {
            numbers[n + numbers.length]++;
        } catch (ArrayIndexOutOfBoundsException e) {
            text += e.getMessage();
        }
        Deque<Integer> queue = new ArrayDeque<>(new HashSet<>(List.of(n, scan("1 2\n3"))));
        Function<Integer, String> format = i -> String.format("%d %5.2f %s", i, new Square(i).area(), max(List.of(1, i)));
        StringBuilder all = new StringBuilder(text).append(count("a b\nb")).append(format.apply(queue.poll()));
        System.out.printf("%s", all.length() > 0 ? "" : text);
        System.out.flush();
    }
}
