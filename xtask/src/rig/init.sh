#!/bin/busybox sh
# All that runs in the guest before and between the tests. Lines that begin with @rig are for
# transcript.rs; everything else is what a test, or the kernel, had to say.
/bin/busybox --install -s /bin
export PATH=/bin
# Not by the shell's own printf, which has lost a line in some hundreds: presumably interrupted, for
# process 1 hears of every orphan's end.
mark() { /bin/busybox printf '\n@rig %s\n' "$*"; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mkdir /dev/shm
mount -t tmpfs tmpfs /dev/shm
. /environment
[ -z "$COMMAND" ] || ln -s "$COMMAND" /bin

loaded=0
for module in $(ls /modules); do
    # For drm_kms_helper; others ignore it. A console on the GPU has a buffer there, which some kernels complain
    # of when the device is taken away.
    insmod "/modules/$module" fbdev_emulation=0 || loaded=1
done

if [ "$rig" = shell ]; then
    echo "The tests are in /tests; \`poweroff -f\` or ^D ends it."
    setsid cttyhack sh
    poweroff -f
fi

if [ "$rig" = bench ]; then
    for bench in /tests/*; do "$bench"; done
    poweroff -f
fi

mark exit $loaded
dmesg -c
while read -r suite test; do
    mark "test $suite::$test"
    timeout -s KILL "$TEST_TIMEOUT" "/tests/$suite" --exact "$test" --nocapture </dev/null 2>&1
    mark exit $?
    dmesg -c
done </list
mark end
poweroff -f
