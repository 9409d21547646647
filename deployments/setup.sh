#!/bin/sh
# Create the lake, the work pools and the deployments if they do not exist. Can be run again at any time.
#
#   PREFECT_API_URL=http://127.0.0.1:4200/api ALCHEMISCALE_LAKE=./lake sh deployments/setup.sh
set -eu
here=$(dirname "$0")
lake=${ALCHEMISCALE_LAKE:-./lake}
# where people put design files of the living network
designs=${ALCHEMISCALE_LAKE_DESIGNS:-designs}

alchemiscale-lake status --lake "$lake" >/dev/null 2>&1 || alchemiscale-lake init --lake "$lake"
case $designs in
*://*) ;;
*) mkdir -p "$designs" ;;
esac
prefect work-pool inspect lake >/dev/null 2>&1 || prefect work-pool create lake --type process
prefect work-pool inspect kubernetes >/dev/null 2>&1 ||
    prefect work-pool create kubernetes --type kubernetes --base-job-template "$here/kubernetes/base-job-template.json"

described=$(mktemp --suffix=.yaml)
trap 'rm -f "$described"' EXIT
sed -e "s|&lake ./lake|\&lake $lake|" -e "s|&designs designs|\&designs $designs|" "$here/prefect.yaml" >"$described"
prefect --no-prompt deploy --all --prefect-file "$described"
