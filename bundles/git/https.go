package git

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"
)

// maxAnswer bounds the bytes of one answer of the server.
const maxAnswer = 256 << 20

// newClient returns a client that believes in the certificates of a file
// alone, speaks TLS 1.2 or later, and goes nowhere it is sent to.
func newClient(caFile string) (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read ca_file: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", caFile)
		}
	}
	return &http.Client{
		Transport: bounded{&http.Transport{TLSClientConfig: settings, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}},
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			return fmt.Errorf("the server sends elsewhere, to %s: configure the repository's own address", to.URL.Redacted())
		},
	}, nil
}

// bounded ends an answer that is longer than any bundle needs.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}

// fetchHTTPS asks the server for one commit, without its history where the
// server can.
func (s *Source) fetchHTTPS(ctx context.Context, mark string) (*object.Commit, error) {
	session, err := s.session()
	if err != nil {
		return nil, err
	}
	defer session.Close()
	advertised, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, err
	}
	id, err := resolve(advertised.References, s.settings.Ref)
	if err != nil {
		return nil, err
	}
	if id.String() == mark || peeled(advertised, id).String() == mark {
		return nil, nil
	}
	store := memory.NewStorage()
	if err := download(ctx, session, advertised.Capabilities, id, store); err != nil {
		return nil, err
	}
	return commitOf(store, id)
}

// peeled returns what an annotated tag is of, as the server says.
func peeled(advertised *packp.AdvRefs, id plumbing.Hash) plumbing.Hash {
	for name, of := range advertised.Peeled {
		if advertised.References[name] == id {
			return of
		}
	}
	return id
}

func (s *Source) session() (transport.UploadPackSession, error) {
	endpoint, err := transport.NewEndpoint(s.settings.URL)
	if err != nil {
		return nil, err
	}
	auth, err := s.credentials()
	if err != nil {
		return nil, err
	}
	// Without credentials the interface must be nil, not hold a nil.
	return githttp.NewClientWithOptions(s.client, &githttp.ClientOptions{RedirectPolicy: githttp.NoFollowRedirects}).NewUploadPackSession(endpoint, auth)
}

// credentials reads what the server is told about who asks; nil for nobody.
func (s *Source) credentials() (transport.AuthMethod, error) {
	text := ""
	switch {
	case s.settings.CredentialsFile != "":
		read, err := os.ReadFile(s.settings.CredentialsFile)
		if err != nil {
			return nil, fmt.Errorf("read credentials_file: %w", err)
		}
		text = string(read)
	case s.settings.CredentialsEnv != "":
		text = os.Getenv(s.settings.CredentialsEnv)
	default:
		return nil, nil
	}
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("the credentials are not one line with USER:PASSWORD or a token")
	}
	if user, password, both := strings.Cut(text, ":"); both {
		return &githttp.BasicAuth{Username: user, Password: password}, nil
	}
	return &githttp.TokenAuth{Token: text}, nil
}

// download fetches one commit, and what it is made of, into store.
func download(ctx context.Context, session transport.UploadPackSession, can *capability.List, id plumbing.Hash, store *memory.Storage) (err error) {
	request := packp.NewUploadPackRequestFromCapabilities(can)
	request.Wants = append(request.Wants, id)
	if can.Supports(capability.Shallow) {
		request.Depth = packp.DepthCommits(1)
		if err := request.Capabilities.Set(capability.Shallow); err != nil {
			return err
		}
	}
	answer, err := session.UploadPack(ctx, request)
	if err != nil {
		return fmt.Errorf("the server does not give %s away (a commit that no branch or tag ends in needs uploadpack.allowReachableSHA1InWant there): %w", id, err)
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	var pack io.Reader = answer
	if request.Capabilities.Supports(capability.Sideband64k) {
		pack = sideband.NewDemuxer(sideband.Sideband64k, answer)
	}
	return packfile.UpdateObjectStorage(store, pack)
}
