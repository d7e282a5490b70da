#!/bin/sh
# Create the nightly RayJob and wait until it ends, so that the CronJob has its result.
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
    # Keep the RayJob for inspection. Its cluster is deleted after an hour.
    kubectl get "$job" --output 'jsonpath={.status.reason}: {.status.message}'
    exit 1
    ;;
  esac
done
