#!/bin/sh
# Compiles the driver, and makes an archive of all classes of the platform that a rehearsal loads. Virtual machines map
# the archive instead of loading these classes. Arguments: java and javac, the directory for the results, the sample,
# and the sources.
set -eu
java=$1 javac=$2 prepared=$3 sample=$4
shift 4
exports="--add-exports java.base/jdk.internal.access=hatchery --add-exports java.base/jdk.internal.misc=hatchery"
# The same options as in java.conf: a virtual machine with another collector or heap ignores the archive.
machine="-Xlog:disable -XX:+UseSerialGC -XX:-UsePerfData -Xms32m -Xmx256m"

# shellcheck disable=SC2086  # the variable holds several words
"$javac" -d "$prepared/classes" $exports "$@"

mkdir "$prepared/empty"
cd "$prepared/empty"
# shellcheck disable=SC2086
"$java" $machine -XX:DumpLoadedClassList="$prepared/all" -Djava.io.tmpdir="$prepared" -cp . -p "$prepared/classes" \
        --add-modules ALL-DEFAULT $exports --add-opens java.base/jdk.internal.loader=hatchery -m hatchery/hatchery.Rehearsal "${sample%/*}"
# Classes outside of the platform are left out: a sandbox has them at other paths, or not at all.
grep -v -E '(^|[ /])(hatchery/|Sample)|source:' "$prepared/all" >"$prepared/list"
# shellcheck disable=SC2086
"$java" $machine -Xshare:dump -XX:SharedClassListFile="$prepared/list" -XX:SharedArchiveFile="$prepared/driver.jsa"
cd ..
rm -r empty all list
