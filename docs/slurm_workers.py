"""Workers as an array of Slurm jobs, by submitit: each is a `hpo-optuna worker`, and the database is all they share.

    pip install 'hpo-optuna[slurm,postgres]'
    python slurm_workers.py STUDY --storage postgresql+psycopg://user@host/hpo --jobs 640 --at-once 64 --partition cpu

A job that is preempted or near its time limit queues its trial again and leaves, and the next of the array takes its
place; once the plan is done, the rest of the array leaves at once. So ask for more jobs than run at once, and short
ones. Run it again to add workers. `--cluster local` starts the jobs as processes of this machine, and waits for them.
"""

import argparse
import signal

from hpo_optuna.loading import load_plan
from hpo_optuna.workers import work_here


def job(study: str, url: str) -> str:
    """One worker; what came of it.

    Args:
        study: a plan that ships, or the path of a plan file that every node sees.
        url: of the database.
    """
    # Before the time limit and at preemption submitit is sent SIGUSR2; a worker understands SIGTERM.
    before = signal.signal(signal.SIGUSR2, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        work_here(load_plan(study), url)
    except KeyboardInterrupt:
        return "was asked to end, and its trial is queued again"
    finally:
        signal.signal(signal.SIGUSR2, before)
    return "found nothing left to do"


def main() -> None:
    """Submit the jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", metavar="STUDY")
    parser.add_argument("--storage", metavar="URL", required=True, help="its password belongs into ~/.pgpass")
    parser.add_argument("--jobs", type=int, default=2, help="in the array (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=64, help="of them (default: %(default)s)")
    parser.add_argument("--minutes", type=int, default=240, help="limit of one job (default: %(default)s)")
    parser.add_argument("--partition")
    parser.add_argument("--cluster", choices=("slurm", "local"), default="slurm")
    parser.add_argument("--folder", default="slurm-jobs", help="of submitit's logs, seen by every node")
    args = parser.parse_args()
    load_plan(args.study)  # what is wrong with it is said here

    import submitit

    executor = submitit.AutoExecutor(args.folder, cluster=args.cluster)
    executor.update_parameters(name="hpo-optuna", timeout_min=args.minutes, cpus_per_task=1)
    if args.cluster == "slurm":
        executor.update_parameters(slurm_array_parallelism=args.at_once, slurm_partition=args.partition)
    jobs = executor.map_array(job, [args.study] * args.jobs, [args.storage] * args.jobs)
    for submitted in jobs:
        print(submitted.job_id, submitted.result() if args.cluster == "local" else "submitted", flush=True)


if __name__ == "__main__":
    main()
