package discovery

import (
	"log/slog"
	"net"
	"time"
)

// A LocalOption configures [Local].
type LocalOption interface{ applyLocal(*LocalDiscovery) }

// An MDNSOption configures [MDNS].
type MDNSOption interface{ applyMDNS(*MDNSDiscovery) }

// A DNSOption configures [DNS].
type DNSOption interface{ applyDNS(*DNSDiscovery) }

// A LoggerOption is the result of [WithLogger]; it fits [Local] and [MDNS].
type LoggerOption struct{ logger *slog.Logger }

// WithLogger sets where skipped entries and packets are reported. The default
// discards them, and so does nil.
func WithLogger(logger *slog.Logger) LoggerOption {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return LoggerOption{logger}
}

func (o LoggerOption) applyLocal(d *LocalDiscovery) { d.logger = o.logger }
func (o LoggerOption) applyMDNS(d *MDNSDiscovery)   { d.logger = o.logger }

type mdnsTimeout time.Duration

// WithTimeout sets how long one Find of [MDNS] collects answers. The default is
// 400 ms; values of zero or less keep it.
func WithTimeout(timeout time.Duration) MDNSOption { return mdnsTimeout(timeout) }

func (o mdnsTimeout) applyMDNS(d *MDNSDiscovery) {
	if o > 0 {
		d.timeout = time.Duration(o)
	}
}

type dnsResolver struct{ resolver *net.Resolver }

// WithResolver sets the resolver of [DNS]. The default is [net.DefaultResolver].
func WithResolver(resolver *net.Resolver) DNSOption { return dnsResolver{resolver} }

func (o dnsResolver) applyDNS(d *DNSDiscovery) { d.resolver = o.resolver }
