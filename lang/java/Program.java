package hatchery;

import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import jdk.internal.misc.Unsafe;

/**
 * The thread that a program calls main. Driver defines it as a hidden class, and frames of those are in no stack: the
 * first that a program sees is its own main.
 */
final class Program extends Thread implements Driver.Outcome {
    private static final long LEAST_STACK = 1 << 20; /* what each thread has by default */
    private static final long HEAP_TO_STACK = 256;
    private static final int MAX_CAUSES = 100; /* they may go round in a circle */

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

    /** Ahead of the call, whose own way to do so leaves frames in what a failed initialisation throws. */
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

    /** Errors for want of memory are made ahead, and the machine fills in the frames of hidden classes, too. */
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
