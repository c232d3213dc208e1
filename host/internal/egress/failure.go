package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress/address"
)

// failure is why a call has no response, or no further body: what the guest is
// told. It names no address: what a private name resolves to is not the guest's
// to learn.
type failure struct {
	status abi.Status
	reason string
}

func (f *failure) Error() string { return f.reason }

// explain turns an error of the transport into a failure.
func explain(t target, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, address.ErrForbidden):
		return &failure{abi.Denied, t.origin.Host + " is at a private, local or special address; an operator allows a network with outbound_allow_networks, wasmoor dev and call with --outbound-allow-networks, for origins that outbound.allow names"}
	case errors.Is(err, circuitbreaker.ErrOpen):
		return &failure{abi.Unreachable, t.String() + " failed repeatedly and is left alone for some seconds"}
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return &failure{abi.Timeout, t.String() + " took too long"}
	case errors.As(err, &dns):
		return &failure{abi.Unreachable, "the name " + t.origin.Host + " is not resolved"}
	case errors.As(err, &cert):
		return &failure{abi.Unreachable, "the certificate of " + t.String() + " is not trusted"}
	case errors.As(err, &op) && op.Op == "dial":
		return &failure{abi.Unreachable, t.String() + " accepts no connection"}
	case strings.Contains(err.Error(), "response headers exceeded"):
		return &failure{abi.Unreachable, t.String() + " sent a header that is too large"}
	}
	return &failure{abi.Unreachable, t.String() + " broke the connection or does not speak HTTP"}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
