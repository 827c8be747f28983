#!/bin/sh
# Finishes the tree of a runtime's image: mmdebstrap runs this on it when its packages are unpacked.
# The recipe's own commands are appended below.
set -eu
root=$1

mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/usr/share/guichet"
chmod 1777 "$root/tmp"

printf 'root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files\n' >"$root/etc/nsswitch.conf"

# What the image holds, for who looks after known weaknesses.
printf '%s\n' ${MMDEBSTRAP_ESSENTIAL:-} | sed 's|.*/||; s|\.deb$||; s|%3a|:|g' >"$root/usr/share/guichet/packages"

# Nobody logs in, reads manuals or installs packages here.
rm -rf "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/apt" "$root/etc/dpkg" "$root/var/cache/apt" \
    "$root/var/lib/apt" "$root/var/lib/dpkg" "$root/var/log/apt" "$root/usr/share/doc" "$root/usr/share/doc-base" \
    "$root/usr/share/info" "$root/usr/share/lintian" "$root/usr/share/locale" "$root/usr/share/man" \
    "$root/usr/share/pixmaps" "$root"/usr/bin/debconf* "$root/usr/share/debconf" "$root"/usr/lib/python3*/sitecustomize.py
find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +

# Without its cache the loader searches for each library in every folder.
ldconfig -r "$root"
