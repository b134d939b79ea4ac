#!/usr/bin/env bash
# A whole Slurm on this machine, for tests and for trying `--engine slurm`: munge, slurmctld and one slurmd.
#
#   one_node.sh start FOLDER [CPUS]   prints the line that makes sbatch, squeue ... talk to it
#   one_node.sh stop FOLDER           ends it and all its jobs, removes FOLDER
#
# Needs root and the Debian packages slurm-wlm and munge (apt-get install slurm-wlm munge). Everything of it lives in
# FOLDER: no file of the system is changed, no service of the system is used. CPUS may be more than the machine has.
set -eEuo pipefail

fail() { echo "one_node.sh: $*" >&2; exit 2; }
[ $# -ge 2 ] || fail "start FOLDER [CPUS] or stop FOLDER"
action=$1
folder=$(realpath -m "$2")
conf=$folder/slurm.conf

daemons=(slurmd slurmctld munged)
# A process that has ended and was not yet collected by its parent is not alive.
alive() { [ -r "/proc/$1/status" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
pid_of() { cat "$folder/$1.pid" 2>/dev/null || echo none; }

stop() {
  [ -e "$folder/munge.key" ] || fail "$folder holds no Slurm that start has made"
  if alive "$(pid_of slurmctld)"; then
    # Jobs first: a daemon that is gone cannot end them.
    SLURM_CONF=$conf timeout 20 scancel --user=root 2>/dev/null || true
    for _ in $(seq 50); do
      [ -z "$(SLURM_CONF=$conf timeout 20 squeue --noheader 2>/dev/null)" ] && break
      sleep 0.1  # between two looks at the queue
    done
  fi
  for daemon in "${daemons[@]}"; do
    pid=$(pid_of "$daemon")
    alive "$pid" || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
      alive "$pid" || break
      sleep 0.1  # between two looks at the process
    done
    if alive "$pid"; then kill -9 "$pid" 2>/dev/null || true; fi
  done
  rm -rf "$folder"
}

start() {
  [ "$(id -u)" = 0 ] || fail "only root can run slurmd"
  missing=()
  for tool in munged slurmctld slurmd sbatch squeue; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} = 0 ] || fail "${missing[*]} not found: apt-get install slurm-wlm munge"
  [ ! -e "$folder/munge.key" ] || fail "$folder is in use: one_node.sh stop $folder"
  local cpus=${1:-$(nproc)} host ports memory
  host=$(uname -n)
  host=${host%%.*}
  memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
  # Two ports that nobody listens on.
  ports=($(python3 - <<'PYTHON'
import socket
both = [socket.socket() for _ in range(2)]
for each in both:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in both))
PYTHON
  ))
  mkdir -p "$folder"/{state,spool,log}
  chmod 755 "$folder" "$folder"/{state,spool,log}
  (umask 077 && head -c 128 /dev/urandom > "$folder/munge.key")
  cat > "$conf" <<CONF
ClusterName=one_node
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmdPort=${ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
# A container has neither cgroups of its own nor a mail program nor systemd.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MailProg=/bin/true
# CPUs are what is counted; a job may ask for memory as on any cluster.
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
# More CPUs than the machine has are taken as told.
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=3
MinJobAge=300
InactiveLimit=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
  trap 'tail -n 3 "$folder"/log/*.log >&2; stop; fail "it did not start; the last lines of its logs are above"' ERR
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed" 2> "$folder/log/munged.out"
  export SLURM_CONF=$conf
  slurmctld -f "$conf"
  slurmd -f "$conf"
  for _ in $(seq 150); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -q '^idle'; then
      echo "export SLURM_CONF=$conf"
      return
    fi
    sleep 0.1  # between two looks at the node's state
  done
  false
}

case $action in
  start) start "${3:-}" ;;
  stop) stop ;;
  *) fail "start FOLDER [CPUS] or stop FOLDER" ;;
esac
