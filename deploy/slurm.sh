#!/bin/bash
# One film on a Slurm cluster, whose nodes see the same folder:
#     deploy/slurm.sh /films/film.mkv /films/film.job [TASKS]
# plans where it is run, then has every task of an array restore its share of the segments, and assembles in the end.
# The same line goes on after a failure: segments that are done are not done again.
#SBATCH --job-name=vfe
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --requeue
set -euo pipefail

if [[ -n "${SLURM_ARRAY_TASK_ID:-}" ]]; then
    exec vfe segment "$1" "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
fi

film=$1 job=$2 tasks=${3:-8}
[[ -e "$job/job.json" ]] || vfe plan "$film" -o "$job"
array=$(sbatch --parsable --array="0-$((tasks - 1))" "$0" "$job")
sbatch --parsable --job-name=vfe-assemble --dependency="afterok:$array" --wrap="vfe assemble '$job'"
