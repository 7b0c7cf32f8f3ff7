package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/operators"
)

// clientFlags are shorter names of the keys under client.
var clientFlags = []struct{ name, key, usage string }{
	{"operators", "client.operators", "https://HOST:PORT of a remit that answers operators over TCP; without it, the socket of this one"},
	{"operators-ca", "client.ca_file", "a file with the authorities that may vouch for that remit; without it, the system's"},
	{"operators-cert", "client.cert_file", "a file with your certificate"},
	{"operators-key", "client.key_file", "the file with its private key"},
	{"operators-token-file", "client.token_file", "a file with your bearer token"},
}

func addClientFlags(flags *pflag.FlagSet) {
	for _, f := range clientFlags {
		flags.Var(&key{short: f.key}, f.name, f.usage+" (also --"+f.key+")")
	}
}

// clientConfig reads the configuration for a command that may call another remit.
func clientConfig(cmd *cobra.Command) (*config.Config, error) {
	sources, err := sourcesOf(cmd)
	if err != nil {
		return nil, err
	}
	loaded, err := config.ReadClient(sources)
	if err != nil {
		return nil, err
	}
	return loaded.Config, nil
}

// operatorsOf returns a client of the door for operators: over TCP where one is
// named, else on the socket of the remit that is configured.
func operatorsOf(cmd *cobra.Command) (*operators.Client, error) {
	c, err := clientConfig(cmd)
	if err != nil {
		return nil, err
	}
	if c.Client.Operators == "" {
		return operators.NewClient(c.Operators.SocketPath()), nil
	}
	return networkClient(&c.Client)
}

func networkClient(c *config.Client) (*operators.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("client.ca_file: %w", err)
		}
		if settings.RootCAs = x509.NewCertPool(); !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("client.ca_file: %s holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client.cert_file: %w", err)
		}
		// Presented whatever authorities the door asks for: it says why it is not good.
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	token, err := readToken(c.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("client.token_file: %w", err)
	}
	return operators.NewNetworkClient(c.Operators, settings, token), nil
}

// maxTokenFile is how long a token's file may be: what remit takes, and some room.
const maxTokenFile = 32 << 10

// readToken reads a bearer token; "" where no file is named. Errors do not show it.
func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || len(text) > maxTokenFile || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("it does not hold one token")
	}
	return token, nil
}
