#!/bin/bash
# The first process of a batch's namespaces (mount, network, process ids): lays a writable layer over the checkout, hides
# what the suite may write elsewhere, and runs it. Nothing that it does reaches the checkout or the host.
#
# In the environment: CHECKOUT, OUT (where the suite's records go), PROGRAM (dist/ and package.json), MODULES (its npm
# packages), CACHE (compiled code, from one start to the next), NODE. The arguments are the suite's.
set -e
mount --make-rprivate /
# Programs are found here under any name that the host gives them: their folder may be under what is hidden below.
mount -t tmpfs tmpfs /mnt
cd /mnt
mkdir checkout out program cache bin home upper work tree no-library
touch node
mount --bind "$CHECKOUT" checkout
mount --bind "$OUT" out
mount --bind "$PROGRAM" program
mount --bind "$MODULES" program/node_modules
mount --bind "$CACHE" cache
mount --bind "$NODE" node
mount -t overlay overlay -o lowerdir=checkout,upperdir=upper,workdir=work tree
for name in fwknop fwknopd; do
  printf '#!/bin/sh\nexec /mnt/node /mnt/program/dist/cli/%s.js "$@"\n' "$name" >"bin/$name"
  chmod 755 "bin/$name"
done
chmod 700 home
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
mount -t tmpfs -o mode=755 tmpfs /var/cache
mkdir /var/cache/ghostport && mount --bind cache /var/cache/ghostport
for folder in /var/log /var/lib /dev/shm; do [ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder"; done
mount -o remount,bind,ro /

# A host with one network besides its loopback, from which nothing comes back.
ip link set lo up
ip link add wire0 type veth peer name wire1
ip address add 192.0.2.10/24 dev wire0
ip link set wire1 up
ip link set wire0 up
ip route add default via 192.0.2.1

cd /mnt/tree/test
# As on a host whose administrator keeps keys secret. Our programs refuse a file of keys that others can read or change;
# fwknop warns. The suite's own cases about that (0777) show the difference.
umask 077
export TAR_OPTIONS='--no-same-owner --no-same-permissions'
find . -maxdepth 2 \( -path './conf*' -o -name '*.key' \) -exec chmod go= {} +
export HOME=/mnt/home LC_ALL=C
unset CHECKOUT OUT PROGRAM MODULES CACHE NODE
perl ./test-fwknop.pl --output-dir /mnt/out/records "$@"
exit $?
