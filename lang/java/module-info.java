/** A module of its own: the packages that the JVM opens to it stay closed to programs. */
module hatchery {
    requires java.compiler;
    requires jdk.compiler;
}
