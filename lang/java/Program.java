package hatchery;

import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import jdk.internal.misc.Unsafe;

/**
 * The thread that a program knows as "main". Driver defines this as a hidden class. Stacks do not show the frames of
 * hidden classes, so the first frame that a program sees is its own main.
 */
final class Program extends Thread implements Driver.Outcome {
    private static final long LEAST_STACK = 1 << 20; /* the default of each thread */
    private static final long HEAP_TO_STACK = 256;
    private static final int MAX_CAUSES = 100; /* a chain of causes may be a circle */

    private final MethodHandle main;
    private final Class<?> type;
    private final String[] args;
    private volatile boolean failed;

    Program(MethodHandle main, Class<?> type, String[] args) {
        super(null, null, "main", Math.max(LEAST_STACK, Runtime.getRuntime().maxMemory() / HEAP_TO_STACK));
        this.main = main;
        this.type = type;
        this.args = args;
    }

    @Override
    public void run() {
        try {
            initialise();
            main.invokeExact(args);
        } catch (Throwable e) {
            failed = true;
            hideOurFrames(e);
            throw Program.<RuntimeException>asItIs(e);
        }
    }

    /**
     * Initialises the class before main is called. The call itself would do so, too, but would leave our frames in the
     * exception of a failed initialisation.
     */
    private void initialise() {
        try {
            Unsafe.getUnsafe().ensureClassInitialized(type);
        } catch (ExceptionInInitializerError e) {
            int ours = e.getStackTrace().length;
            for (Throwable t = e; t != null; t = t.getCause())
                t.setStackTrace(Arrays.copyOf(t.getStackTrace(), Math.max(0, t.getStackTrace().length - ours)));
            throw e;
        }
    }

    /**
     * Removes our frames from an OutOfMemoryError. The JVM makes these errors ahead of time, and fills in the frames
     * even of hidden classes.
     */
    private static void hideOurFrames(Throwable thrown) {
        Throwable t = thrown;
        for (int i = 0; i < MAX_CAUSES && t != null; i++, t = t.getCause()) {
            StackTraceElement[] frames = t.getStackTrace();
            int n = frames.length;
            if (n == 0 || !frames[n - 1].getClassName().startsWith("hatchery."))
                continue;
            while (n > 0 && (frames[n - 1].getClassName().startsWith("hatchery.")
                    || frames[n - 1].getClassName().startsWith("java.lang.invoke.")))
                n--;
            t.setStackTrace(Arrays.copyOf(frames, n));
        }
    }

    @Override
    public boolean failed() {
        return failed;
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T asItIs(Throwable e) throws T {
        throw (T) e;
    }
}
