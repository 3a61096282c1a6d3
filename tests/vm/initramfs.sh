#!/bin/busybox sh
# /init of the virtual machine: loads the modules for the root disk and overlayfs, mounts the file systems that every
# Debian has when its services start, and moves on into the root disk. It mounts cgroups as systemd does: version 2
# only.
set -eu

while read -r module; do
        /bin/busybox insmod "/modules/$module.ko"
done < /modules/order

/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t ext4 -o noatime /dev/vda /root
/bin/busybox mount -o move /dev /root/dev
cd /root
/bin/busybox mkdir -p dev/pts dev/shm
/bin/busybox mount -t proc -o nosuid,nodev,noexec proc proc
/bin/busybox mount -t sysfs -o nosuid,nodev,noexec sysfs sys
/bin/busybox mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate,memory_recursiveprot cgroup2 sys/fs/cgroup
/bin/busybox mount -t devpts -o nosuid,noexec,gid=5,mode=620 devpts dev/pts
/bin/busybox mount -t tmpfs -o nosuid,nodev tmpfs dev/shm
/bin/busybox mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
/bin/busybox mount -t tmpfs -o nosuid,nodev tmpfs tmp
/bin/busybox ip link set lo up
/bin/busybox hostname stock

exec /bin/busybox switch_root /root /bin/sh /hatchery/tests/vm/boot.sh
