#!/bin/sh
# Starts a program of the test root (see real-root.ts): the system (/usr, /etc, /var) is the root's, everything else is the
# host's at its own path. chroot is not enough, because the kernel refuses user namespaces to a process whose root
# directory is not the root of its mount namespace. Hence a private mount namespace and pivot_root.
#
#   enter-root.sh <settings file> <program> [argument...]
#
# Each step replaces this process, so a signal to its pid reaches the program. The steps are:
#   (none)    as the caller: opens the mount namespace; a caller other than root needs a user namespace for that
#   --build   in that namespace: mounts everything, enters the root, gives up privileges
#   --close   as the ordinary user: forbids further user namespaces, for tests of that situation
set -eu

step=--start
case ${1-} in --build | --close) step=$1 && shift ;; esac
settings=$1
shift

# root, etc, user, fuse, userNamespaces, hide
. "$settings"

case $step in
--start)
  asRoot=''
  [ "$(/usr/bin/id -u)" = 0 ] || asRoot='--user --map-root-user'
  # unquoted on purpose: two options or none
  exec /usr/bin/unshare $asRoot --mount --propagation private -- /bin/sh "$0" --build "$settings" "$@"
  ;;
--close)
  echo 0 >/proc/sys/user/max_user_namespaces
  exec /usr/bin/setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@"
  ;;
esac

callerPath=${PATH-}
here=$PWD
PATH=/usr/sbin:/usr/bin:/sbin:/bin

# /usr may not be a mount of its own: Apptainer 1.4 would take itself for relocated and look for its files elsewhere.
mount --bind "$root" "$root"
for file in passwd group resolv.conf apptainer/apptainer.conf; do
  [ ! -e "$etc/$file" ] || mount --bind "$etc/$file" "$root/etc/$file"
done
for program in $hide; do
  mount --bind /dev/null "$root$program"
done

# The host's /dev/fuse may be for root only. A user who cannot make a node takes the one that was made with the root.
fuseNode=$root/fuse
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
for directory in pts shm; do
  mkdir "$root/dev/$directory"
  mount --rbind "/dev/$directory" "$root/dev/$directory"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
if [ "$fuse" = closed ]; then
  # its owner is a user that the ordinary user's namespace does not map, whom no capability there can overrule
  mknod -m 0600 "$root/dev/fuse" c 10 229
  chown 1:1 "$root/dev/fuse"
elif ! mknod -m 0666 "$root/dev/fuse" c 10 229 2>/dev/null; then
  touch "$root/dev/fuse"
  mount --bind "$fuseNode" "$root/dev/fuse"
fi
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"

for directory in /*; do
  case $directory in
  /bin | /boot | /dev | /etc | /lib* | /lost+found | /proc | /run | /sbin | /sys | /usr | /var) continue ;;
  esac
  [ -d "$directory" ] && [ ! -L "$directory" ] || continue
  [ -d "$root$directory" ] || mkdir "$root$directory"
  mount --rbind "$directory" "$root$directory"
done
mount --rbind /var/tmp "$root/var/tmp"

mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir "$root/run/host"
cd "$root"
pivot_root . run/host
umount -l /run/host
rmdir /run/host
cd "$here" 2>/dev/null || cd /

PATH=$callerPath
if [ "$user" = root ]; then
  # as in a container or a VM that lacks one capability
  exec /usr/bin/setpriv --bounding-set=-sys_resource --inh-caps=-all -- "$@"
fi
# An ordinary user inside; outside, files and processes are still the caller's.
if [ "$userNamespaces" = closed ]; then
  exec /usr/bin/unshare --user --map-user="$user" --map-group="$user" --keep-caps -- \
    /bin/sh "$0" --close "$settings" "$@"
fi
exec /usr/bin/unshare --user --map-user="$user" --map-group="$user" -- "$@"
