#!/bin/sh
# Makes a CA, a certificate for a door, one for a client, and an empty revocation list. For a small site: a larger one
# has a CA already, and keeps its key elsewhere.
#   certificates.sh FOLDER DOOR-NAME CLIENT-NAME
set -eu
umask 077
door=$2 client=$3
mkdir -p "$1"
cd "$1"

# the CA; its key signs what may come in, so it does not belong on the machine of the door
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
  -subj "/CN=$door CA" -keyout ca-key.pem -out ca.pem

# the door: every name and address that clients call it by
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$door" -keyout key.pem -out door.csr
printf '%s\n' "subjectAltName = DNS:$door, DNS:localhost, IP:127.0.0.1" 'extendedKeyUsage = serverAuth' >door.ext
openssl x509 -req -in door.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 397 -extfile door.ext -out cert.pem

# a client: a folder that is its DOCKER_CERT_PATH
mkdir -p "$client"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$client" -keyout "$client/key.pem" -out client.csr
printf '%s\n' "subjectAltName = DNS:$client" 'extendedKeyUsage = clientAuth' >client.ext
openssl x509 -req -in client.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 90 -extfile client.ext -out "$client/cert.pem"
cp ca.pem "$client/ca.pem"

# a list of what was taken back, which is nothing yet
touch index.txt
echo 01 >crlnumber
printf '%s\n' '[ca]' 'default_ca = own' '[own]' 'database = index.txt' 'crlnumber = crlnumber' 'default_md = sha256' >ca.cnf
openssl ca -config ca.cnf -keyfile ca-key.pem -cert ca.pem -gencrl -crldays 30 -out crl.pem
