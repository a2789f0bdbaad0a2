# tests/bench/lib.sh - what the benchmarks share: the peers, and ourselves beside
# them, configured alike; sourced by bash, with BASE and DOMAIN set.
# Peers are installed into debootstrap roots below PEERS (kept for the next run,
# if you name it), by the runners of ../shared/bench, whose driver measures all
# alike. Nothing here fails a build: what could not be measured is said.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
shared=$top/../shared/bench
: "${BUILDDIR:=$PWD}"
SMTP=$BASE POP3=$((BASE + 3))

skip() {
	echo "bench: $*"
	exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root: chroots, cgroups, users' mailboxes"
[ -f "$shared/mbench.c" ] || skip "needs the driver in ../shared/bench"
[ -d /sys/fs/cgroup/cpuacct ] || skip "needs cgroups v1 (cpuacct, memory)"
[ -x "$BUILDDIR/libexec/master" ] || skip "nothing is built: run make"
for tool in debootstrap strace openssl; do
	command -v "$tool" >/dev/null || skip "needs $tool"
done

work=$(mktemp -d /tmp/barid-bench.XXXXXX) || exit 1
chmod 755 "$work"
export PEERS=${PEERS:-$work/peers} OUT=${OUT:-$work/out}
export MBENCH=$work/mbench
mkdir -p "$PEERS" "$OUT"
rm -f "$OUT"/*.txt
inst=$work/suite
hash=$(openssl passwd -6 -salt abcdefgh secret)

# The two peers of this comparison, out of all that the runners know.
sed 's/^ALL=.*/ALL="postfix dovecot"/' "$shared/peers.sh" >"$work/peers.sh"
peers() {
	bash "$work/peers.sh" "$@"
}

finish() {
	"$BUILDDIR/bin/barid" --test "$inst" stop >/dev/null 2>&1
	peers stop postfix
	peers stop dovecot
	umount "$PEERS/postfix/proc" "$PEERS/dovecot/proc" 2>/dev/null
	rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# -- the peers and ourselves, configured alike ----------------------------------

prepare_peers() {
	cc -O2 -o "$MBENCH" "$shared/mbench.c" -lssl -lcrypto -lpthread ||
		skip "the driver does not build"
	if [ ! -d "$PEERS/dovecot/etc/dovecot" ]; then
		echo "installing Postfix and Dovecot below $PEERS ..."
		peers install >"$OUT/install.log" 2>&1
	fi
	peers configure >"$OUT/configure.log" 2>&1
	# the same sha512crypt as ours, instead of the runner's plain text
	sed -i "s|{PLAIN}secret|{SHA512-CRYPT}$hash|" \
		"$PEERS/dovecot/etc/dovecot/bench.users"
	[ -d "$PEERS/postfix/etc/postfix" ] && [ -d "$PEERS/dovecot/home" ]
}

suite() {
	BUILDDIR=$BUILDDIR "$top/tests/instance" "$@"
}

# Users as the peers have them, u00 to u99, uid 3000+NN, the same password. Its
# arguments are further statements.
prepare_suite() {
	local i statement

	suite start "$inst" --users 1 --base-port "$BASE" >/dev/null || return 1
	suite stop "$inst"
	for i in $(seq -w 0 99); do
		echo "u$i@$DOMAIN : $hash : 30$i : :"
	done >"$inst/users"
	# all clients come from one address here, and one test holds 10,000
	sed -i "s/example\.test/$DOMAIN/g
		s/client-connections 2000/connections 20000; client-connections 20000/" \
		"$inst/barid.conf"
	for statement in "$@"; do
		echo "$statement" >>"$inst/barid.conf"
	done
	for k in cpuacct memory; do
		mkdir -p "/sys/fs/cgroup/$k/bench/suite"
	done
	mkdir -p "$PEERS/suite/var"
	ln -sfn "$inst/mail" "$PEERS/suite/var/mail"
	start_suite
}

start_suite() {
	(
		for k in cpuacct memory; do
			echo "$BASHPID" \
			    >"/sys/fs/cgroup/$k/bench/suite/cgroup.procs"
		done
		exec "$BUILDDIR/bin/barid" run --test "$inst" \
			>"$OUT/suite.log" 2>&1 </dev/null
	) &
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$POP3") 2>/dev/null && return 0
		sleep 0.1
	done
	echo "barid did not start"
	return 1
}

wipe() {
	find "$PEERS/$1/var/mail/" -name 'u??' -exec truncate -s 0 {} +
}
