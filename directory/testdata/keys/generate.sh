#!/bin/sh
# Makes the keys in this folder with GnuPG 2.2 or later, under invented names and at a fixed
# time. The secret halves are thrown away. Run it only to add a key: the tests know the fingerprints' facts, not their digits.
set -eu
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 's=$?; [ $s = 0 ] || tail -5 "$GNUPGHOME/log"; gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT

g() { gpg --batch --quiet --no-permission-warning --no-tty --yes --pinentry-mode loopback --passphrase '' --faked-system-time "${now:-20240101T000000}!" "$@" 2>>"$GNUPGHOME/log"; }
fpr() { g --with-colons --list-keys "=$1" | awk -F: '/^fpr/ { print $10; exit }'; }
out() { g --armor --no-emit-version --export "$(fpr "$2")" >"$1.asc"; }
# make NAME ADDRESS [parameters of the primary key and subkey]
make() {
	name=$1 id="Example $1 <$1@example.org>"
	shift
	{ printf '%%no-protection\n'; printf '%s\n' "$@"; printf 'Name-Real: Example %s\nName-Email: %s@example.org\n%%commit\n' "$name" "$name"; } | g --gen-key 2>/dev/null
	out "$name" "$id"
}
ed='Key-Type: EDDSA
Key-Curve: ed25519
Key-Usage: cert sign'
cv='Subkey-Type: ECDH
Subkey-Curve: cv25519
Subkey-Usage: encrypt'

make good "$ed" "$cv" 'Expire-Date: 20300101T000000'
make other "$ed" "$cv" 'Expire-Date: 0'
make expired "$ed" "$cv" 'Expire-Date: 20250101T000000'
make noencrypt "$ed" 'Expire-Date: 0'
make rsa3072 'Key-Type: RSA' 'Key-Length: 3072' 'Key-Usage: cert sign' 'Subkey-Type: RSA' 'Subkey-Length: 3072' 'Subkey-Usage: encrypt' 'Expire-Date: 0'
make rsa1024 'Key-Type: RSA' 'Key-Length: 1024' 'Key-Usage: cert sign' 'Subkey-Type: RSA' 'Subkey-Length: 1024' 'Subkey-Usage: encrypt' 'Expire-Date: 0'
make rsaprimary 'Key-Type: RSA' 'Key-Length: 2048' 'Key-Usage: cert sign encrypt' 'Expire-Date: 0'
make dsa 'Key-Type: DSA' 'Key-Length: 2048' 'Key-Usage: cert sign' 'Subkey-Type: ELG' 'Subkey-Length: 2048' 'Subkey-Usage: encrypt' 'Expire-Date: 0'
make nistp256 'Key-Type: ECDSA' 'Key-Curve: nistp256' 'Key-Usage: cert sign' 'Subkey-Type: ECDH' 'Subkey-Curve: nistp521' 'Subkey-Usage: encrypt' 'Expire-Date: 0'
make brainpool 'Key-Type: ECDSA' 'Key-Curve: brainpoolP256r1' 'Key-Usage: cert sign' 'Subkey-Type: ECDH' 'Subkey-Curve: brainpoolP384r1' 'Subkey-Usage: encrypt' 'Expire-Date: 0'
make secp256k1 'Key-Type: ECDSA' 'Key-Curve: secp256k1' 'Key-Usage: cert sign' 'Subkey-Type: ECDH' 'Subkey-Curve: secp256k1' 'Subkey-Usage: encrypt' 'Expire-Date: 0'

make signsub "$ed" "$cv" 'Expire-Date: 0'
g --quick-add-key "$(fpr 'Example signsub <signsub@example.org>')" ed25519 sign 20280101T000000
out signsub 'Example signsub <signsub@example.org>'

make expiredsub "$ed" 'Expire-Date: 0'
g --quick-add-key "$(fpr 'Example expiredsub <expiredsub@example.org>')" cv25519 encrypt 20250101T000000
out expiredsub 'Example expiredsub <expiredsub@example.org>'

# Expiry moved from 2025 to 2031 by newer signatures: the newest counts.
make extended "$ed" "$cv" 'Expire-Date: 20250101T000000'
f=$(fpr 'Example extended <extended@example.org>')
now=20240601T000000
g --quick-set-expire "$f" 20310101T000000
g --quick-set-expire "$f" 20310101T000000 '*'
out extended 'Example extended <extended@example.org>'

# Two user IDs, the second revoked.
now=20240101T000000
make twoids "$ed" "$cv" 'Expire-Date: 0'
f=$(fpr 'Example twoids <twoids@example.org>')
g --quick-add-uid "$f" 'Example Alt (old) <alt@example.org>'
now=20240201T000000
g --quick-set-primary-uid "$f" 'Example twoids <twoids@example.org>'
g --quick-revoke-uid "$f" 'Example Alt (old) <alt@example.org>'
out twoids 'Example twoids <twoids@example.org>'

# Revoked as compromised.
now=20240101T000000
make revoked "$ed" "$cv" 'Expire-Date: 0'
f=$(fpr 'Example revoked <revoked@example.org>')
now=20240701T000000
printf 'y\n1\nlaptop stolen\n\ny\n' | gpg --quiet --no-tty --yes --pinentry-mode loopback --passphrase '' --faked-system-time 20240701T000000! --command-fd 0 --status-fd 2 --gen-revoke "$f" >"$GNUPGHOME/rev" 2>/dev/null
cp "$GNUPGHOME/rev" revocation.asc
g --import "$GNUPGHOME/rev" 2>/dev/null
out revoked 'Example revoked <revoked@example.org>'

# The encryption subkey revoked.
now=20240101T000000
make revokedsub "$ed" "$cv" 'Expire-Date: 0'
f=$(fpr 'Example revokedsub <revokedsub@example.org>')
printf 'key 1\nrevkey\ny\n3\nretired\n\ny\nsave\n' | gpg --quiet --no-tty --yes --pinentry-mode loopback --passphrase '' --faked-system-time 20240701T000000! --command-fd 0 --status-fd 2 --edit-key "$f" >/dev/null 2>&1
out revokedsub 'Example revokedsub <revokedsub@example.org>'

# Self-signatures over SHA-1, as made until about 2015.
printf 'cert-digest-algo SHA1\n' >"$GNUPGHOME/gpg.conf"
make sha1 'Key-Type: RSA' 'Key-Length: 2048' 'Key-Usage: cert sign' 'Subkey-Type: RSA' 'Subkey-Length: 2048' 'Subkey-Usage: encrypt' 'Expire-Date: 0'
rm "$GNUPGHOME/gpg.conf"

# Signed by another key, and with a designated revoker who revoked.
make certified "$ed" "$cv" 'Expire-Date: 0'
now=20240301T000000
g --default-key "$(fpr 'Example other <other@example.org>')" --quick-sign-key "$(fpr 'Example certified <certified@example.org>')"
out certified 'Example certified <certified@example.org>'
now=20240101T000000
make designated "$ed" "$cv" 'Expire-Date: 0' "Revoker: 22:$(fpr 'Example other <other@example.org>')"
f=$(fpr 'Example designated <designated@example.org>')
printf 'y\n3\nby order\n\ny\n' | gpg --quiet --no-tty --yes --pinentry-mode loopback --passphrase '' --faked-system-time 20240701T000000! --command-fd 0 --status-fd 2 --desig-revoke "$f" >"$GNUPGHOME/rev" 2>/dev/null || true
g --import "$GNUPGHOME/rev" 2>/dev/null || true
out designated 'Example designated <designated@example.org>'

# A signed message with a detached signature, and a message.
echo 'This is no key.' >"$GNUPGHOME/text"
g --local-user "$(fpr 'Example other <other@example.org>')" --clearsign <"$GNUPGHOME/text" >clearsigned.asc
g --local-user "$(fpr 'Example other <other@example.org>')" --armor --detach-sign <"$GNUPGHOME/text" >signature.asc
g --trust-model always --armor --recipient "$(fpr 'Example good <good@example.org>')" --encrypt <"$GNUPGHOME/text" >message.asc
