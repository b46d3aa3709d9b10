#!/usr/bin/env bash
# Run it daily: a full backup on one day of the week, incremental ones on the others. It says what it did, and fails loudly:
# whatever goes wrong, its exit code is not 0.
set -euo pipefail

full_day="Sunday"       # in English, as `LC_ALL=C date +%A` prints it
what="DATABASE shop"    # or nothing, for all databases
base="./backups"        # a folder, or a URL such as s3://bucket/prefix
extra=""                # what follows the URL, such as ?region=eu-central-1
recent="recent_backups.txt" # what was made since the last full backup. Without it, the next backup is a full one
backup_parameters=""    # such as WITH note = 'nightly'

# Settings may also come from a file: `backup.sh settings.sh`.
# shellcheck source=/dev/null
[ $# -eq 0 ] || . "$1"

case "$full_day" in
  Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday) ;;
  *)
    echo "full_day is \"$full_day\": it must be a day of the week in English, such as Sunday" >&2
    exit 2
    ;;
esac

# To a server, where PAGEMARK_URL names one (its token is in PAGEMARK_TOKEN); otherwise on the files of this folder. The token
# goes by standard input, where no list of processes shows it.
run_statement() {
  if [ -n "${PAGEMARK_URL:-}" ]; then
    printf 'header = "Authorization: Bearer %s"\n' "${PAGEMARK_TOKEN:?}" |
      curl --fail-with-body --silent --show-error --config - --get --data-urlencode "query=$1" "$PAGEMARK_URL/exec"
    echo
  else
    # 3: it is done, and there is something to know, which it has said.
    pagemark sql "$1" || [ $? -eq 3 ]
  fi
}

# Which backup the next one is made on is in the store itself: two hosts that run this cannot part the chain, and a day that
# was missed is in the next backup.
if [ ! -s "$recent" ] || [ "$(LC_ALL=C date +%A)" = "$full_day" ]; then
  run_statement "BACKUP $what INTO '$base$extra' $backup_parameters"
  date +%Y%m%d-%H%M > "$recent"
else
  run_statement "BACKUP $what INTO LATEST IN '$base$extra' $backup_parameters"
  date +%Y%m%d-%H%M-inc >> "$recent"
fi
