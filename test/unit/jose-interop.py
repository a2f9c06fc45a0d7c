"""The other side of test-jose-interop: python3-jwcrypto reads what is in the folder and writes its own.

Reads key-TYPE.json (private JWK), ours-TYPE-*.jwe and ours-TYPE-*.jws; each must give the text below.
Writes theirs-TYPE-N.jwe and theirs-TYPE-N.jws. Exit status 0 only if everything was read.
"""
import glob
import json
import os
import sys

from jwcrypto import jwe, jwk, jws

TEXT = b"The Moon is a harsh mistress."
folder = sys.argv[1]
read = 0


def load(name):
    with open(os.path.join(folder, name)) as f:
        return f.read()


def store(name, text):
    with open(os.path.join(folder, name), "w") as f:
        f.write(text)


def encrypt(key, alg, enc, form):
    """One message; the parameters stand where a library may put them."""
    pub = jwk.JWK(**key.export_public(as_dict=True))
    if form == "compact":
        token = jwe.JWE(TEXT, protected={"alg": alg, "enc": enc, "kid": key["kid"]}, recipient=pub)
        return token.serialize(compact=True)
    if form == "flattened":
        token = jwe.JWE(TEXT, protected={"enc": enc}, unprotected={"cty": "text/plain"}, aad=b"seen by all")
        token.add_recipient(pub, header={"alg": alg, "kid": key["kid"]})
        return token.serialize()
    other = jwk.JWK.generate(kty="EC", crv="P-384", kid="somebody else")
    token = jwe.JWE(TEXT, protected={"enc": enc})
    token.add_recipient(jwk.JWK(**other.export_public(as_dict=True)), header={"alg": "ECDH-ES+A128KW", "kid": "somebody else"})
    token.add_recipient(pub, header={"alg": alg, "kid": key["kid"]})
    return token.serialize()


for path in sorted(glob.glob(os.path.join(folder, "key-*.json"))):
    kind = os.path.basename(path)[4:-5]
    key = jwk.JWK.from_json(load(os.path.basename(path)))
    for name in sorted(glob.glob(os.path.join(folder, "ours-%s-*" % kind))):
        text = load(os.path.basename(name))
        if name.endswith(".jwe"):
            token = jwe.JWE()
            token.deserialize(text, key)
        else:
            token = jws.JWS()
            token.deserialize(text, key)
        assert token.payload == TEXT, name
        read += 1
    count = 0
    if kind in ("Ed25519", "ES256"):
        for compact in (True, False):
            token = jws.JWS(TEXT)
            token.add_signature(key, None, json.dumps({"alg": "EdDSA" if kind == "Ed25519" else "ES256"}))
            store("theirs-%s-%d.jws" % (kind, count), token.serialize(compact=compact))
            count += 1
        continue
    for enc in ("A256GCM", "A128GCM", "A256CBC-HS512", "A128CBC-HS256"):
        for alg in ("ECDH-ES+A256KW", "ECDH-ES+A128KW", "ECDH-ES"):
            for form in ("compact", "flattened", "general"):
                if alg == "ECDH-ES" and form != "compact":
                    continue
                store("theirs-%s-%d.jwe" % (kind, count), encrypt(key, alg, enc, form))
                count += 1

assert read > 0
print("# python3-jwcrypto read %d" % read)
