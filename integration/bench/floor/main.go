// Command floor is an ext_authz server that decides nothing: grpc-go with its
// defaults, the generated types, and one explicit answer with one header, as an
// allow of remit has. What it costs is what a check costs before anything is
// decided.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

func main() {
	address := flag.String("address", "", `"unix:PATH" or "HOST:PORT"`)
	flag.Parse()
	if err := serve(*address); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	network := "tcp"
	if path, local := strings.CutPrefix(address, "unix:"); local {
		network, address = "unix", path
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, floor{})
	return server.Serve(listener)
}

// answer is made once: what is constant costs nothing to make.
var answer = &authv3.CheckResponse{
	Status: &rpcstatus.Status{},
	HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
		Headers: []*corev3.HeaderValueOption{{
			Header:       &corev3.HeaderValue{Key: "x-decision", Value: "constant"},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}},
	}},
}

type floor struct {
	authv3.UnimplementedAuthorizationServer
}

// Check allows.
func (floor) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return answer, nil
}
