package hatchery;

import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import jdk.internal.misc.Unsafe;

/**
 * The thread that a program calls main. Driver defines it as a hidden class, and frames of those are in no stack: the
 * first that a program sees is its own main.
 */
final class Program extends Thread implements Driver.Outcome {
    private final MethodHandle main;
    private final Class<?> type;
    private final String[] args;
    private volatile boolean failed;

    Program(MethodHandle main, Class<?> type, String[] args) {
        super("main");
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

    @Override
    public boolean failed() {
        return failed;
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T asItIs(Throwable e) throws T {
        throw (T) e;
    }
}
