package security

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const testSecret = "correct-horse-battery-staple"

func TestParseSecretIgnoresSurroundingSpace(t *testing.T) {
	if got := *mustSecret(t, " \t"+testSecret+"\r\n").text; got != testSecret {
		t.Errorf("got %q", got)
	}
}

func TestParseSecretRefusesWhatIsNoSecret(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                "",
		"short":                "hunter2-hunter2",
		"short without spaces": "hunter2" + strings.Repeat(" ", 20),
		"short in characters":  strings.Repeat("ü", 15),
		"two lines":            testSecret + "\n" + testSecret,
		"NUL":                  testSecret + "\x00" + testSecret,
		"not UTF-8":            testSecret + "\xff" + testSecret,
		"huge":                 strings.Repeat("x", maxSecretSize+1),
	} {
		secret, err := ParseSecret(text)
		if !errors.Is(err, ErrSecret) || !secret.IsZero() {
			t.Errorf("%s: got error %v", name, err)
			continue
		}
		if !strings.Contains(err.Error(), "openssl rand") {
			t.Errorf("%s: %q does not say how to make a secret", name, err)
		}
		if trimmed := strings.TrimSpace(text); trimmed != "" && strings.Contains(err.Error(), trimmed) {
			t.Errorf("%s: the error repeats the secret", name)
		}
	}
}

func TestSecretIsZero(t *testing.T) {
	if !(Secret{}).IsZero() || mustSecret(t, testSecret).IsZero() {
		t.Error("only the zero Secret is zero")
	}
}

// leaky is how a user's configuration would hold secrets, printed or not.
type leaky struct {
	Public     Secret
	Pointer    *Secret
	Boxed      any
	List       []Secret
	ByName     map[string]Secret
	unexported Secret
}

func TestSecretNeverPrints(t *testing.T) {
	secret := mustSecret(t, testSecret)
	holder := leaky{secret, &secret, secret, []Secret{secret}, map[string]Secret{"x": secret}, secret}

	for _, value := range []any{secret, &secret, holder, &holder} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%10.3s"} {
			assertRedacted(t, verb, fmt.Sprintf(verb, value))
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		assertRedacted(t, "JSON", string(text))

		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("JSON", "value", value)
		assertRedacted(t, "slog", log.String())
	}
	if got := fmt.Sprintf("%v %+v %#v %s %d", secret, secret, secret, secret, secret); got != strings.TrimSpace(strings.Repeat("REDACTED ", 5)) {
		t.Errorf("got %q", got)
	}
	if secret.String() != "REDACTED" {
		t.Errorf("String() = %q", secret.String())
	}
}

func assertRedacted(t *testing.T, how, printed string) {
	t.Helper()
	for _, form := range []string{testSecret, fmt.Sprintf("%x", testSecret), fmt.Sprintf("%X", testSecret), fmt.Sprint([]byte(testSecret))} {
		if strings.Contains(printed, form) {
			t.Errorf("%s shows the secret: %s", how, printed)
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, seed := range []string{"", testSecret, " " + testSecret + "\n", "\xff\xfe", strings.Repeat("ü", 16), strings.Repeat("x", maxSecretSize+1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := ParseSecret(text)
		if err != nil {
			if !errors.Is(err, ErrSecret) || !secret.IsZero() {
				t.Fatalf("error %v with secret %t", err, !secret.IsZero())
			}
			return
		}
		again, err := ParseSecret("\n" + *secret.text + " ")
		if err != nil || *again.text != *secret.text {
			t.Fatalf("%q is not stable: %v", *secret.text, err)
		}
	})
}
