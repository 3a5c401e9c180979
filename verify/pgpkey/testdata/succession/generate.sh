#!/bin/sh
# Makes the keys and texts in this folder with GnuPG 2.2 or later, under invented names and at a
# fixed time: an old key, a new one that the old has certified, and a statement that the old has signed. The secret halves are thrown away.
set -eu
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT

g() { gpg --batch --quiet --no-permission-warning --no-tty --yes --pinentry-mode loopback --passphrase '' --faked-system-time "${now:-20240101T000000}!" "$@"; }
fpr() { g --with-colons --list-keys "=$1" | awk -F: '/^fpr/ { print $10; exit }'; }
for name in Old New; do
	id="$name <csirt@example.org>"
	g --quick-gen-key "$id" ed25519 default 20320101T000000
	g --quick-add-key "$(fpr "$id")" cv25519 encrypt 20320101T000000
done 2>/dev/null
old=$(fpr 'Old <csirt@example.org>') new=$(fpr 'New <csirt@example.org>')
now=20240601T000000
g --local-user "$old" --quick-sign-key "$new" 2>/dev/null
g --armor --no-emit-version --export "$old" >old.asc
g --armor --no-emit-version --export "$new" >new.asc
printf 'Our key has changed. The new one is\n\n%s\n' "$new" | g --local-user "$old" --clear-sign >statement.asc
