package operators

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// A caller is who is at the other end of a connection, as the kernel says.
type caller struct {
	uid uint32
	err error // why it is not known
}

type callerKey struct{}

// withCaller puts the caller of a connection into its context.
func withCaller(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, peer(conn))
}

func peer(conn net.Conn) caller {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return caller{err: errors.New("the connection is not a Unix socket")}
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return caller{err: err}
	}
	var c caller
	err = raw.Control(func(fd uintptr) {
		var credentials *syscall.Ucred
		if credentials, c.err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); c.err == nil {
			c.uid = credentials.Uid
		}
	})
	c.err = errors.Join(err, c.err)
	return c
}

// name is what records call the caller: the user's name and number.
func (c caller) name() string {
	uid := strconv.FormatUint(uint64(c.uid), 10)
	if found, err := user.LookupId(uid); err == nil {
		return found.Username + " (uid " + uid + ")"
	}
	return "uid " + uid
}

// role is what a path asks of its caller.
type role string

const (
	mayView    role = "viewer"
	mayRevoke  role = "revoker"
	mayApprove role = "approver"
)

// may returns why the caller does not have a role. The user who runs remit,
// and root, who can become that user, have all of them.
func (c caller) may(r role) error {
	switch {
	case c.err != nil:
		return fmt.Errorf("the caller is not known: %w", c.err)
	case c.uid != 0 && uint64(c.uid) != uint64(os.Geteuid()):
		return fmt.Errorf("%s is not a %s: only the user who runs remit, and root, are", c.name(), r)
	default:
		return nil
	}
}
