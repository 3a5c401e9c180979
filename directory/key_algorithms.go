package directory

import (
	"fmt"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// algorithmName names the algorithm of a key with its curve, as people write it.
func algorithmName(pub *packet.PublicKey) string {
	curve, _ := pub.Curve()
	switch pub.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly, packet.PubKeyAlgoRSASignOnly:
		return "RSA"
	case packet.PubKeyAlgoElGamal:
		return "ElGamal"
	case packet.PubKeyAlgoDSA:
		return "DSA"
	case packet.PubKeyAlgoECDH:
		return "ECDH " + curveName(curve)
	case packet.PubKeyAlgoECDSA:
		return "ECDSA " + curveName(curve)
	case packet.PubKeyAlgoEdDSA:
		return "EdDSA " + strings.Replace(curveName(curve), "Curve", "Ed", 1)
	case packet.PubKeyAlgoX25519:
		return "X25519"
	case packet.PubKeyAlgoX448:
		return "X448"
	case packet.PubKeyAlgoEd25519:
		return "Ed25519"
	case packet.PubKeyAlgoEd448:
		return "Ed448"
	}
	return postQuantumName(pub.PubKeyAlgo)
}

// postQuantumName names the algorithms that RFC 9980 added, or gives the number.
func postQuantumName(algo packet.PublicKeyAlgorithm) string {
	switch algo {
	case packet.PubKeyAlgoMldsa65Ed25519:
		return "ML-DSA-65+Ed25519"
	case packet.PubKeyAlgoMldsa87Ed448:
		return "ML-DSA-87+Ed448"
	case packet.PubKeyAlgoSlhdsaShake128s:
		return "SLH-DSA-SHAKE-128s"
	case packet.PubKeyAlgoSlhdsaShake128f:
		return "SLH-DSA-SHAKE-128f"
	case packet.PubKeyAlgoSlhdsaShake256s:
		return "SLH-DSA-SHAKE-256s"
	case packet.PubKeyAlgoMlkem768X25519:
		return "ML-KEM-768+X25519"
	case packet.PubKeyAlgoMlkem1024X448:
		return "ML-KEM-1024+X448"
	}
	return fmt.Sprintf("algorithm %d", algo)
}

// curveName writes curves as their standards do.
func curveName(c packet.Curve) string {
	switch c {
	case packet.CurveNistP256:
		return "P-256"
	case packet.CurveNistP384:
		return "P-384"
	case packet.CurveNistP521:
		return "P-521"
	case packet.CurveSecP256k1:
		return "secp256k1"
	case packet.CurveBrainpoolP256:
		return "brainpoolP256r1"
	case packet.CurveBrainpoolP384:
		return "brainpoolP384r1"
	case packet.CurveBrainpoolP512:
		return "brainpoolP512r1"
	}
	return string(c)
}

// keyBits is the size people expect: of the modulus, or of the curve.
func keyBits(pub *packet.PublicKey) int {
	curve, err := pub.Curve()
	switch {
	case err != nil && pub.IsPQ():
		return 0
	case err != nil:
		bits, _ := pub.BitLength()
		return int(bits)
	}
	switch curve {
	case packet.CurveNistP384, packet.CurveBrainpoolP384:
		return 384
	case packet.CurveNistP521:
		return 521
	case packet.CurveBrainpoolP512:
		return 512
	case packet.Curve448:
		return 448
	}
	return 256
}
