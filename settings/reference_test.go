package settings_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/troupe-go/troupe/settings"
)

type documented struct {
	Listen string   `default:":8080" doc:"Where the server listens." reload:"restart"`
	HTTP   struct { // all of it needs a restart
		Timeout time.Duration `default:"5s" doc:"How long a request may take,\nfrom its first byte." validate:"min=1ms"`
		Port    int           `default:"80"`
		Strict  bool          `default:"true"`
	} `doc:"The server." reload:"restart"`
	Body     settings.Size     `default:"64MiB"`
	Hosts    []string          `default:"a, b"`
	Ports    []int             `default:"1,2"`
	Pauses   []time.Duration   `default:"1s"`
	Labels   map[string]string `default:"team=red"`
	Odd      string            `default:"yes: [no"`
	Token    settings.Secret   `doc:"Who we are."`
	Password string            `secret:"true"`
	Peers    []struct {
		Name string `doc:"Its name."`
		Max  int    `default:"3"`
	}
	Limits map[string]struct{ Max int }
	TLS    *struct {
		File string `default:"cert.pem"`
	}
}

const documentedReference = `# Where the server listens.
# string; default ":8080"; a change needs a restart; SHOP_LISTEN
listen: :8080

# The server.
http:
  # How long a request may take,
  # from its first byte.
  # duration such as 1m30s; default "5s"; rules min=1ms; a change needs a restart; SHOP_HTTP_TIMEOUT
  timeout: 5s

  # whole number; default "80"; a change needs a restart; SHOP_HTTP_PORT
  port: 80

  # boolean, true or false; default "true"; a change needs a restart; SHOP_HTTP_STRICT
  strict: true

# size such as 64MiB; default "64MiB"; SHOP_BODY
body: 64MiB

# list of: string; default "a, b"; SHOP_HOSTS
hosts: [a, b]

# list of: whole number; default "1,2"; SHOP_PORTS
ports: [1, 2]

# list of: duration such as 1m30s; default "1s"; SHOP_PAUSES
pauses: [1s]

# map of: string; default "team=red"; SHOP_LABELS
labels: {team: red}

# string; default "yes: [no"; SHOP_ODD
odd: 'yes: [no'

# Who we are.
# string; secret; SHOP_TOKEN
#token:

# string; secret; SHOP_PASSWORD
#password:

# list of: these keys
#peers:
#  -
#    # Its name.
#    # string
#    #name:
#
#    # whole number; default "3"
#    max: 3

# map of: these keys
#limits:
#  name:
#    # whole number
#    #max:

#tls:
#  # string; default "cert.pem"; SHOP_TLS_FILE
#  file: cert.pem
`

func TestReferenceHasAllKeysAndChangesNothing(t *testing.T) {
	var got bytes.Buffer
	if err := settings.Reference[documented](&got, "SHOP_"); err != nil {
		t.Fatal(err)
	}
	if got.String() != documentedReference {
		t.Errorf("got\n%s", got.String())
	}
	path := write(t, filepath.Join(t.TempDir(), "reference.yaml"), got.String())
	defaults, loaded := load[documented](t), load[documented](t, settings.File(path))
	if !reflect.DeepEqual(defaults.Get(), loaded.Get()) {
		t.Errorf("got %+v, want %+v", loaded.Get(), defaults.Get())
	}
}

func TestReferenceTellsOfItsErrors(t *testing.T) {
	if err := settings.Reference[int](io.Discard, ""); !errors.Is(err, settings.Unsupported) {
		t.Error(err)
	}
	closed, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := settings.Reference[documented](closed, ""); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
