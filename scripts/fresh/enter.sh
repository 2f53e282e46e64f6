#!/bin/sh
# enter.sh <base> <run> <command...>: runs a command inside a root file system, in namespaces of its own.
#
# `unshare --mount --pid --uts --fork --kill-child` comes before it: when the command ends, the kernel ends every process
# that it left behind and unmounts everything. With "-" for <run> the base itself is changed; else it stays as it is, and
# changes go to <run>/upper. pivot_root and not chroot, because the kernel refuses user namespaces in a chroot.
set -eu
base=$1 run=$2
shift 2

if [ "$run" = - ]; then
  mount --bind "$base" "$base"
  root=$base
else
  root=$run/root
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$run/upper,workdir=$run/work" "$root"
  # an overlay cannot hold the layers of another overlay, as containers make them
  for dir in srv tmp; do
    mount --bind "$run/$dir" "$root/$dir"
  done
  # downloads are shared by all runs
  for pair in archives:var/cache/apt/archives npm:root/.npm; do
    mkdir -p "$root/${pair#*:}"
    mount --bind "$run/${pair%%:*}" "$root/${pair#*:}"
  done
fi
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
hostname fresh
cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
cd /
exec "$@"
