package identity_test

import (
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// BenchmarkVerify is what one decision pays for each way of identifying, where the
// credential is known again.
func BenchmarkVerify(b *testing.B) {
	certificate := authorityOf().issue(b, []string{bot}, nil)
	token := "Bearer " + ec().sign(b, nil, nil)
	for name, c := range map[string]struct {
		v *identity.Verifier
		e *pdp.Envelope
	}{
		"token":                 {newJWT(b, nil), with("authorization", token)},
		"certificate":           {newSPIFFE(b, nil), from(bot, certificate)},
		"principal alone":       {newSPIFFE(b, func(s *identity.SPIFFE) { s.PrincipalAlone = true }), from(bot, nil)},
		"header":                {newXFCC(b), xfcc(bot, "Hash="+someHash+";URI="+bot)},
		"token and certificate": {newVerifier(b, identity.Listener{JWT: jwtSettings(b), SPIFFE: &identity.SPIFFE{TrustDomains: []string{"prod.acme"}}}), from(bot, certificate, "authorization", token)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.v.Verify(b.Context(), c.e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyNew is what the first use of a token costs: more tokens of one
// agent than are remembered.
func BenchmarkVerifyNew(b *testing.B) {
	v := newJWT(b, nil)
	for _, s := range []signer{ec(), rs(), ed()} {
		b.Run(s.alg.String(), func(b *testing.B) {
			var tokens []*pdp.Envelope
			for i := range 300 {
				tokens = append(tokens, bearer(s.sign(b, nil, claims{"jti": i})))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := v.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
