package operators

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// paths are all calls there are, and the role that each asks for.
func paths() map[string]Role {
	all := map[string]Role{
		http.MethodGet + " " + pathRevocations: Viewer, http.MethodPost + " " + pathRevocations: Revoker, http.MethodPost + " " + pathLift: Revoker,
	}
	all[http.MethodGet+" /v1/sessions"], all[http.MethodGet+" "+pathSessions+"s_1"] = Viewer, Viewer
	for kind, role := range sessionRoles {
		all[http.MethodPost+" "+pathSessions+string(kind)] = role
	}
	return all
}

// call makes a call as if a connection had brought it.
func call(t *testing.T, s *Server, what string, change func(*http.Request) *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(`{"reason":"x"}`))
	answer := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(answer, change(request))
	return answer
}

// on is a call over a socket.
func on(k kernel) func(*http.Request) *http.Request {
	return func(r *http.Request) *http.Request {
		return r.WithContext(context.WithValue(r.Context(), kernelKey{}, k))
	}
}

// over is a call over TLS, with a certificate that was verified or not.
func over(leaf *x509.Certificate, verified bool, lines ...string) func(*http.Request) *http.Request {
	return func(r *http.Request) *http.Request {
		r.TLS = &tls.ConnectionState{}
		if leaf != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{leaf}
		}
		if verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{leaf}}
		}
		r.Header["Authorization"] = lines
		return r
	}
}

// book is an issuer's word: a token is good when it is in it.
type book map[string][]string

func (b book) Verify(_ context.Context, lines []string, _ *x509.Certificate) (string, []string, error) {
	if lines[0] == "Bearer early" {
		return "", nil, pdp.Refuse(pdp.Unavailable, pdp.CodeKeysUnavailable, "later", "no keys yet")
	}
	groups, known := b[lines[0]]
	if !known || len(lines) > 1 {
		return "", nil, errors.New("a secret that the log may know: forged")
	}
	return "ada (idp)", groups, nil
}

func network(tokens Tokens) *Network {
	return &Network{
		Certificates: map[string][]Role{"ops.example.test": {Viewer, Revoker}},
		Groups:       map[string][]Role{"on-call": {Approver}, "auditors": {Viewer}},
		NameOf: func(leaf *x509.Certificate) string {
			if slices.Contains(leaf.DNSNames, "ops.example.test") {
				return "ops.example.test"
			}
			return ""
		},
		Tokens: tokens,
	}
}

// Invariant 6: who is not proved to call gets 401 on every path, who has no role
// for a path 403, and nobody else is let through; the roles of a certificate and
// of a token are not added up.
func TestWhoMay(t *testing.T) {
	leaf := func(name string) *x509.Certificate { return &x509.Certificate{DNSNames: []string{name}} }
	ops, me := leaf("ops.example.test"), uint32(os.Geteuid())
	tokens := book{"Bearer both": {"on-call", "auditors"}, "Bearer auditor": {"auditors"}, "Bearer nobody": {"cooks"}, "Bearer none": nil}
	const unknown = "?"
	for name, c := range map[string]struct {
		by     func(*http.Request) *http.Request
		roles  string // unknown is 401
		tokens Tokens
	}{
		"the user who runs remit":                  {on(kernel{uid: me}), "viewer revoker approver", tokens},
		"root":                                     {on(kernel{}), "viewer revoker approver", nil},
		"another user":                             {on(kernel{uid: me + 1}), "", nil},
		"a user of whom the kernel says nothing":   {on(kernel{err: errors.New("no")}), unknown, nil},
		"a connection in the clear":                {func(r *http.Request) *http.Request { return r }, unknown, tokens},
		"a token in the clear":                     {func(r *http.Request) *http.Request { r.Header.Set("authorization", "Bearer both"); return r }, unknown, tokens},
		"neither certificate nor token":            {over(nil, false), unknown, tokens},
		"the certificate":                          {over(ops, true), "viewer revoker", tokens},
		"the certificate, where no token is taken": {over(ops, true), "viewer revoker", nil},
		"the certificate, unverified":              {over(ops, false), unknown, tokens},
		"another certificate":                      {over(leaf("other.example.test"), true), "", tokens},
		"a token of two groups":                    {over(nil, false, "Bearer both"), "viewer approver", tokens},
		"a token of one group":                     {over(nil, false, "Bearer auditor"), "viewer", tokens},
		"a token of another group":                 {over(nil, false, "Bearer nobody"), "", tokens},
		"a token of no group":                      {over(nil, false, "Bearer none"), "", tokens},
		"a token beside the certificate":           {over(ops, true, "Bearer auditor"), "viewer", tokens},
		"a bad token beside the certificate":       {over(ops, true, "Bearer forged"), unknown, tokens},
		"an empty token beside the certificate":    {over(ops, true, ""), unknown, tokens},
		"two tokens":                               {over(nil, false, "Bearer both", "Bearer both"), unknown, tokens},
		"a token where none is taken":              {over(ops, true, "Bearer both"), unknown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			clerk := &clerk{}
			n := network(nil)
			if c.tokens != nil {
				n.Tokens = c.tokens
			}
			s := quiet(clerk, n)
			for path, role := range paths() {
				carried := len(clerk.orders) + len(clerk.sessions)
				answer := call(t, s, path, c.by)
				want := http.StatusForbidden
				switch {
				case c.roles == unknown:
					want = http.StatusUnauthorized
				case strings.Contains(c.roles, string(role)):
					want = 0
				}
				if want != 0 && (answer.Code != want || len(clerk.orders)+len(clerk.sessions) != carried) || want == 0 && answer.Code >= 300 {
					t.Errorf("%s: %d, want %d", path, answer.Code, want)
				}
				if told := answer.Body.String(); want == http.StatusUnauthorized &&
					(answer.Header().Get("www-authenticate") == "" || strings.Contains(told, "detail") || strings.Contains(told, "forged")) {
					t.Errorf("%s: 401 says %v %s", path, answer.Header(), told)
				}
			}
			if answer := call(t, s, "GET /v1/nothing", c.by); (answer.Code == http.StatusUnauthorized) != (c.roles == unknown) {
				t.Errorf("a path that is not there: %d", answer.Code)
			}
		})
	}
}

// Where nobody is configured to call over TLS, nobody may.
func TestNobodyOverTLS(t *testing.T) {
	leaf := &x509.Certificate{DNSNames: []string{"ops.example.test"}}
	for name, n := range map[string]*Network{"no network": nil, "an empty one": {NameOf: func(*x509.Certificate) string { return "" }}} {
		for path := range paths() {
			if answer := call(t, quiet(&clerk{}, n), path, over(leaf, true)); answer.Code != http.StatusUnauthorized && answer.Code != http.StatusForbidden {
				t.Errorf("%s: %s: %d", name, path, answer.Code)
			}
		}
	}
}

// An issuer that does not answer is no verdict on a token.
func TestKeysThatAreNotThere(t *testing.T) {
	answer := call(t, quiet(&clerk{}, network(book{})), "GET "+pathRevocations, over(nil, false, "Bearer early"))
	if answer.Code != http.StatusServiceUnavailable || strings.Contains(answer.Body.String(), "keys") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// A page of somebody else's gives no order through the browser of an operator, who
// is known by a certificate.
func TestPagesOfOthersGiveNoOrders(t *testing.T) {
	c := &clerk{}
	leaf := &x509.Certificate{DNSNames: []string{"ops.example.test"}}
	answer := call(t, quiet(c, network(nil)), "POST "+pathRevocations, func(r *http.Request) *http.Request {
		r.Header.Set("origin", "https://elsewhere.example.test")
		r.Header.Set("sec-fetch-site", "cross-site")
		return over(leaf, true)(r)
	})
	if answer.Code != http.StatusForbidden || len(c.orders) > 0 {
		t.Errorf("%d, %v", answer.Code, c.orders)
	}
}

// What is no socket has no user at its other end.
func TestTheKernelKnowsSocketsAlone(t *testing.T) {
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if k := withKernel(t.Context(), one).Value(kernelKey{}); k != nil {
		t.Errorf("the kernel says %v of it", k)
	}
}
