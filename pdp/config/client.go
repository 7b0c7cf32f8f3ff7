package config

import "net/url"

// Client is how the commands that give an operator's order (remit revoke, remit
// session close, …) reach the remit that is to carry it out. Without it they use
// the socket of the remit that the configuration describes.
type Client struct {
	// Operators is "https://HOST:PORT" of a remit that answers operators over TCP;
	// also --operators.
	Operators string `yaml:"operators"`
	// CAFile holds the authorities that may vouch for remit, PEM; the system's
	// where empty; also --operators-ca.
	CAFile string `yaml:"ca_file"`
	// CertFile is the operator's certificate with its intermediates, PEM; also
	// --operators-cert.
	CertFile string `yaml:"cert_file"`
	// KeyFile is the private key of the certificate, PEM; also --operators-key.
	KeyFile string `yaml:"key_file"`
	// TokenFile holds the operator's bearer token; also --operators-token-file.
	TokenFile string `yaml:"token_file"`
}

func (c *Client) rebase(under func(*string)) {
	for _, file := range []*string{&c.CAFile, &c.CertFile, &c.KeyFile, &c.TokenFile} {
		under(file)
	}
}

// clientProblems is what is wrong for a command that calls another remit.
func (c *Config) clientProblems() (found []error) {
	c.Client.problems(collect(&found))
	return found
}

func (c *Client) problems(say sayFunc) {
	if c.Operators == "" {
		for key, file := range map[string]string{"ca_file": c.CAFile, "cert_file": c.CertFile, "key_file": c.KeyFile, "token_file": c.TokenFile} {
			if file != "" {
				say("client."+key, "is for client.operators, which is not set: the order would go to the socket of this machine")
			}
		}
		return
	}
	u, err := url.Parse(c.Operators)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		say("client.operators", "%q is not https://HOST:PORT: operators are answered over TLS alone", c.Operators)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		say("client.cert_file", "and client.key_file belong together: name both, or none")
	}
	if c.CertFile == "" && c.TokenFile == "" {
		say("client", "must say who gives the order: cert_file and key_file, or token_file")
	}
}
