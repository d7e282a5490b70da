#!/bin/sh
# Creates the RayJob of this night and waits for it, so that the CronJob knows when it ends and how.
set -eu
job=$(kubectl create --filename /nightly/rayjob.yaml --output name)
trap 'kubectl delete "$job" --wait=false; exit 143' TERM
while sleep "${EVERY:-15}"; do
  case $(kubectl get "$job" --output 'jsonpath={.status.jobDeploymentStatus}') in
  Complete)
    kubectl delete "$job" --wait=false
    exit 0
    ;;
  Failed)
    # Left for somebody to look at; its cluster is gone after an hour.
    kubectl get "$job" --output 'jsonpath={.status.reason}: {.status.message}'
    exit 1
    ;;
  esac
done
