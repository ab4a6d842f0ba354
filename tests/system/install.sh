#!/bin/sh
# Installs what the system tests need, when root; says what it would be otherwise.
set -eu
packages="openssh-server mender-client mender-artifact swupdate dataset-fashion-mnist slurm-wlm munge rsync gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm qemu-system-misc gcc-riscv64-unknown-elf gcc-avr avr-libc simavr libsimavr-dev libelf-dev qemu-user qemu-user-static mmdebstrap zstd libfaketime busybox e2fsprogs cmake gcc-xtensa-lx106 arduino-core-avr gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross"

missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
        missing="$missing $package"
done

# Programs of other CPUs run through QEMU wherever they lie, in other roots too (flag F).
enable_binfmt() {
    [ "$(id -u)" -eq 0 ] && [ "$(uname -m)" = x86_64 ] || return 0
    handlers=/proc/sys/fs/binfmt_misc
    [ -e $handlers/register ] || mount -t binfmt_misc binfmt_misc $handlers || return 0
    for cpu in aarch64 arm; do
        if ! grep -q '^flags:.*F' $handlers/qemu-$cpu 2>/dev/null; then
            [ ! -e $handlers/qemu-$cpu ] || echo -1 >$handlers/qemu-$cpu
            cat /usr/lib/binfmt.d/qemu-$cpu.conf >$handlers/register ||
                echo "emulated boards will be skipped: no binfmt handler for $cpu"
        fi
    done
}
[ -n "$missing" ] || { enable_binfmt; exit 0; }

if [ "$(id -u)" -ne 0 ]; then
    echo "system tests will skip what needs:$missing"
    echo "to install them: sudo apt-get install -y$missing"
    exit 0
fi
echo "installing for the system tests:$missing"
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
enable_binfmt
