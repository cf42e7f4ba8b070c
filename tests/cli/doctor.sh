#!/bin/sh
# SPDX-License-Identifier: MIT
# This machine as it is, and other machines by copies of what their /proc and /sys say.
. "$SRCDIR/tests/cli/lib.sh"

"$PGOBOLT" doctor >/dev/null 2>&1
ready=$?
case $ready in 0 | 3) ;; *) fail "doctor: exit status $ready, not 0 or 3" ;; esac
run "$ready" doctor
stdout_has 'Machine'
stdout_has 'Sources, best first'
stdout_has 'perf_event_paranoid is'
stdout_has 'open files: '
stdout_has 'ptrace'
stdout_has 'Tools'
stderr_empty
run "$ready" doctor --json
stdout_is_json
stdout_has '"ready"'
run "$ready" doctor -q
stdout_lacks 'Linux '

# marks are Unicode where the locale is, else ASCII
run "$ready" doctor
stdout_has '✓ '
LC_ALL=C run "$ready" doctor
stdout_has 'ok   '
stdout_lacks '✓'

# without llvm-bolt
run 3 doctor --llvm-bolt ./missing
stdout_has './missing'
stdout_has 'llvm-bolt is missing'
stdout_lacks 'Next:'
run 3 doctor --llvm-bolt ./missing --json
stdout_is_json
stdout_has '"ready": false'

# machine NAME CPUINFO..: a folder with that /proc/cpuinfo, perf_event_paranoid 2, no PMU
machine() {
	mkdir -p "$1/proc/sys/kernel" "$1/sys/bus/event_source/devices" \
		"$1/sys/devices/system/cpu"
	printf '%s\n' "$2" >"$1/proc/cpuinfo"
	echo 2 >"$1/proc/sys/kernel/perf_event_paranoid"
	echo "${3:-6.1.0}" >"$1/proc/sys/kernel/osrelease"
	echo 0-1 >"$1/sys/devices/system/cpu/online"
}
pmu() {
	mkdir -p "$1/sys/bus/event_source/devices/$2"
	echo 4 >"$1/sys/bus/event_source/devices/$2/type"
	[ -z "$3" ] || {
		mkdir "$1/sys/bus/event_source/devices/$2/caps"
		echo "$3" >"$1/sys/bus/event_source/devices/$2/caps/branches"
	}
}
# root_says ROOT TEXT: what doctor says of that machine; what is tried is tried here
root_says() {
	"$PGOBOLT" doctor --root "$1" >"$scratch/stdout" 2>"$scratch/stderr"
	last="doctor of $1"
	stdout_has "$2"
}
intel='vendor_id	: GenuineIntel
cpu family	: 6
model		: 85
model name	: Some Xeon
flags		: fpu'
amd='vendor_id	: AuthenticAMD
cpu family	: 23
model		: 49
model name	: Some EPYC
flags		: fpu'
arm='CPU implementer	: 0x41
CPU part	: 0xd40'
machine guest "$intel hypervisor"
root_says guest 'this virtual machine has no CPU performance counters'
root_says guest 'pmu=on'
pmu guest cpu
root_says guest 'its hypervisor shows no branch stack'
root_says guest 'lbr=on'
root_says guest 'counters of the CPU: cpu'
machine zen2 "$amd"
pmu zen2 cpu
root_says zen2 'AMD has them from Zen 3 on'
root_says zen2 'CONFIG_PERF_EVENTS_AMD_IBS'
pmu zen2 ibs_op
echo 11 >zen2/sys/bus/event_source/devices/ibs_op/type
echo 1 >zen2/proc/sys/kernel/perf_event_paranoid
root_says zen2 'ibs works'
root_says zen2 'ibs: a sample every 240208 operations'
root_says zen2 '-a needs CAP_PERFMON'
root_says zen2 'ibs: costs about 3% of the CPU time, by some 12000 samples'
machine zen3 "$(echo "$amd" | sed 's/: 23/: 25/') brs"
pmu zen3 cpu
root_says zen3 'CONFIG_PERF_EVENTS_AMD_BRS=y'
machine arm "$arm"
pmu arm armv8_pmuv3_0
mkdir arm/sys/bus/event_source/devices/armv8_pmuv3_0/events
echo event=0x11 >arm/sys/bus/event_source/devices/armv8_pmuv3_0/events/cpu_cycles
root_says arm 'too old for Arm branch records (BRBE)'
root_says arm 'CONFIG_ARM_SPE_PMU'
pmu arm arm_spe_0
echo 12 >arm/sys/bus/event_source/devices/arm_spe_0/type
root_says arm 'spe works'
root_says arm 'spe: costs less than 1%'
stdout_lacks 'CONFIG_PID_IN_CONTEXTIDR'
echo 5.4.0 >arm/proc/sys/kernel/osrelease
root_says arm 'CONFIG_PID_IN_CONTEXTIDR'
machine locked "$intel"
echo 4 >locked/proc/sys/kernel/perf_event_paranoid
[ "$(id -u)" -eq 0 ] || root_says locked 'sysctl kernel.perf_event_paranoid=2'
machine without "$intel"
rm without/proc/sys/kernel/perf_event_paranoid
root_says without 'has no perf events'

# a binary
printf 'int main(void) { return 0; }\n' >program.c
if ${CC:-cc} program.c -o plain 2>/dev/null && ${CC:-cc} -Wl,-q program.c -o kept 2>/dev/null; then
	run "$ready" doctor kept
	[ "$ready" -ne 0 ] || run 1 doctor plain
	stdout_has 'emit-relocs'
else
	skip 'no C compiler that links with -Wl,-q'
fi
run 1 doctor missing
stderr_has 'missing'
stdout_empty
run 1 doctor .
printf 'hello\n' >text
run 1 doctor text
stderr_has 'text'
run 2 doctor a b
run 2 doctor --profile x

# will llvm-bolt help?
if [ -x kept ]; then
	printf '1 main 0 1 main 4 0 100\n' >kept.fdata
	"$PGOBOLT" doctor kept --profile kept.fdata >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
	last='pgobolt doctor kept --profile'
	stdout_has 'hot code:'
	stdout_has 'little to gain'
	run 1 doctor kept --profile missing
fi
