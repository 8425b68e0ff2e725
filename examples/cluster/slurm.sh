#!/bin/sh
# A plan shared out over a Slurm array, and joined when all of it is there:
#
#     array=$(sbatch --parsable --array=1-8 examples/cluster/slurm.sh nat-reboot --seeds 1000)
#     sbatch --dependency=afterok:"$array" --wrap 'cardiogram merge out-* --out whole'
#
# A task that died is run again alone, and goes on where it stopped:
#
#     SHARDS=8 sbatch --array=3 examples/cluster/slurm.sh nat-reboot --seeds 1000
#
#SBATCH --cpus-per-task=2
#SBATCH --requeue
set -eu
exec "${CARDIOGRAM:-cardiogram}" run "$@" --quiet \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --shard "auto/${SHARDS:-$SLURM_ARRAY_TASK_COUNT}" \
    --out "out-$SLURM_ARRAY_TASK_ID"
