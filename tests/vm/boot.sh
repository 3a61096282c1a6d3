#!/bin/sh
# Process 1 of the virtual machine, once its root disk is in place. Only results go to the second serial port; the first
# has the kernel's messages. However the tests end, the machine is switched off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /hatchery || exit 1

# As raw as a pipe: no echo, no carriage returns.
stty -F /dev/ttyS1 raw -echo
setsid /usr/bin/python3 tests/vm/guest.py < /dev/null > /dev/ttyS1 2>&1
stty -F /dev/ttyS1 sane

echo 1 > /proc/sys/kernel/sysrq
echo o > /proc/sysrq-trigger
# The kernel switches the machine off in a thread of its own. Process 1 must live until then.
exec sleep 60
