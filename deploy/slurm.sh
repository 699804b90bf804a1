#!/bin/bash
# One film on a Slurm cluster whose nodes see the same folders:
#     deploy/slurm.sh /films/film.mkv /films/film.job [WORKERS]
# plans where it is run, lets each task of an array restore segments until none is left, and then assembles.
# What a task leaves undone that is lost, the others do. Where segments are missing in the end, the assembly says which,
# and the same line goes on: segments that are done are not done again.
#SBATCH --job-name=vfe
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --requeue
set -euo pipefail

if [[ -n "${SLURM_ARRAY_TASK_ID:-}" ]]; then
    exec vfe segment "$1" all
fi

film=$1 job=$2 workers=${3:-8}
[[ -e "$job/job.json" ]] || vfe plan "$film" -o "$job"
array=$(sbatch --parsable --array="1-$workers" "$0" "$job")
sbatch --parsable --job-name=vfe-assemble --dependency="afterany:$array" --wrap="vfe assemble '$job'"
