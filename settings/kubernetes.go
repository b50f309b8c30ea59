package settings

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
)

// Kubernetes gives each container variables for the Services of its namespace, as Docker
// did for links: for a Service named sh they are SH_SERVICE_HOST, SH_SERVICE_PORT and
// SH_SERVICE_PORT_<name>, SH_PORT=tcp://10.96.0.7:80, and SH_PORT_80_TCP with _PROTO, _PORT
// and _ADDR. They are nobody's settings.

// services tells the variables of Services.
type services struct{ port, host, address *regexp.Regexp }

func newServices() services {
	return services{
		port:    regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$`),
		host:    regexp.MustCompile(`^(.+)_SERVICE_(HOST|PORT(_.+)?)$`),
		address: regexp.MustCompile(`^(tcp|udp|sctp)://[^/]+:[0-9]+$`),
	}
}

// have reports whether Kubernetes has set a variable of the environment for a
// Service. key is what the variable stands for, if it is that of a key: then what it says
// has to be what Kubernetes says of the Service elsewhere, or else cannot be the key's.
func (s services) have(environ map[string]string, name, value string, key *shape) bool {
	upper := strings.ToUpper(name)
	if found := s.port.FindStringIndex(upper); found != nil {
		return key == nil || s.address.MatchString(environ[upper[:found[0]]+"_PORT"]) && environ[upper[:found[0]]+"_SERVICE_HOST"] != ""
	}
	if service, ok := strings.CutSuffix(upper, "_PORT"); ok && s.address.MatchString(value) {
		address, err := url.Parse(value)
		return err == nil && (key == nil || key.form == leaf && isNumeric(key.typ.Kind()) || environ[service+"_SERVICE_HOST"] == address.Hostname())
	}
	match := s.host.FindStringSubmatch(upper)
	if match == nil {
		return false
	}
	if key == nil {
		return true
	}
	address, err := url.Parse(environ[match[1]+"_PORT"])
	if err != nil || !s.address.MatchString(address.String()) || environ[match[1]+"_SERVICE_HOST"] != address.Hostname() {
		return false
	}
	return match[2] != "PORT" || value == address.Port()
}

func isNumeric(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Float64 }
