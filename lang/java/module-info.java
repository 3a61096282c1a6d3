/** A module of its own, so that what it opens for itself is not open to programs. */
module hatchery {
    requires java.compiler;
    requires jdk.compiler;
}
