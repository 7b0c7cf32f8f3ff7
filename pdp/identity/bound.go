package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// byCertificate binds a token to the certificate of the connection that it is
// used on (RFC 8705 section 3.1).
const byCertificate = "x5t#S256"

// bound checks the claim cnf and reports whether the token is bound to its
// sender. What the claim demands and remit cannot check is refused: a token
// that was bound must not be good for whoever has copied it (RFC 7800 section
// 3.1 lets a reader ignore a method it does not know; here it may not).
func (v *Verifier) bound(cnf value.Value, required bool, e *pdp.Envelope, p *peer) (bool, *pdp.Refusal) {
	if !cnf.Defined() {
		if required {
			return false, refuse("the token is not bound to its sender (cnf), and this listener requires it")
		}
		return false, nil
	}
	var refusal *pdp.Refusal
	methods := 0
	cnf.Range(func(method string, thumbprint value.Value) bool {
		methods++
		if method != byCertificate {
			refusal = refuse("the token is bound by %q, which remit does not verify", clip(method))
			return false
		}
		refusal = v.boundToCertificate(thumbprint.Text(), e, p)
		return refusal == nil
	})
	if refusal == nil && methods == 0 {
		refusal = refuse("the token's claim cnf says nothing to verify")
	}
	return refusal == nil, refusal
}

func (v *Verifier) boundToCertificate(thumbprint string, e *pdp.Envelope, p *peer) *pdp.Refusal {
	want, err := base64.RawURLEncoding.Strict().DecodeString(thumbprint)
	if err != nil || len(want) != sha256.Size {
		return refuse("the token's cnf.%s is not a SHA-256 in base64url", byCertificate)
	}
	got, refusal := certificateHash(e, p)
	if refusal != nil {
		return refusal
	}
	if subtle.ConstantTimeCompare(want, got[:]) != 1 {
		return refuse("the token is bound to another certificate than the connection's")
	}
	return nil
}

// certificateHash returns SHA-256 of the certificate that the caller has proved
// to hold the key of: the verified peer's, else the connection's. Whether
// anybody trusts its issuer makes no difference to the token.
func certificateHash(e *pdp.Envelope, p *peer) (hash [sha256.Size]byte, _ *pdp.Refusal) {
	switch {
	case p != nil && p.known:
		return p.hash, nil
	case e.Source.Certificate == "":
		return hash, refuse("the token is bound to a certificate, and the connection has none")
	}
	certificate, err := readCertificate(e.Source.Certificate)
	if err != nil {
		return hash, refuse("the token is bound to a certificate, and the connection's cannot be read: %s", err)
	}
	return sha256.Sum256(certificate.Raw), nil
}
