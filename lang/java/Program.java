package hatchery;

import java.lang.invoke.MethodHandle;

/**
 * The thread that a program calls main. Driver defines it as a hidden class, and frames of those are in no stack: the
 * first that a program sees is its own main.
 */
final class Program extends Thread implements Driver.Outcome {
    private final MethodHandle main;
    private final String[] args;
    private volatile boolean failed;

    Program(MethodHandle main, String[] args) {
        super("main");
        this.main = main;
        this.args = args;
    }

    @Override
    public void run() {
        try {
            main.invokeExact(args);
        } catch (Throwable e) {
            failed = true;
            throw Program.<RuntimeException>asItIs(e);
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
