package security

import (
	"fmt"
	"strings"
)

const maxNameLength = 63

// ValidateCluster returns an error that wraps [ErrName] unless name can name a
// cluster: 1 to 63 characters of a-z, 0-9, '.', '_' and '-', the first and the
// last of them a letter or digit, with no two dots in a row. That is what SPIFFE
// allows in a trust domain.
func ValidateCluster(name string) error {
	return validate("cluster", name, "a-z, 0-9", isLowerOrDigit)
}

// ValidateNode returns an error that wraps [ErrName] unless name can name a node.
// The rules are those of [ValidateCluster], and capital letters are allowed.
// Names that differ in case alone are different names.
func ValidateNode(name string) error {
	return validate("node", name, "a-z, A-Z, 0-9", func(c byte) bool {
		return isLowerOrDigit(c) || 'A' <= c && c <= 'Z'
	})
}

func isLowerOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

func validate(kind, name, alphabet string, isAlphanumeric func(byte) bool) error {
	reject := func(rule string) error {
		return fmt.Errorf("%w: %s %q: %s", ErrName, kind, name, rule)
	}
	switch {
	case name == "":
		return fmt.Errorf("%w: the %s has no name: give it one", ErrName, kind)
	case len(name) > maxNameLength:
		return fmt.Errorf("%w: %s %.16q...: use at most %d characters", ErrName, kind, name, maxNameLength)
	case !isAlphanumeric(name[0]) || !isAlphanumeric(name[len(name)-1]):
		return reject("begin and end it with one of " + alphabet)
	case strings.Contains(name, ".."):
		return reject("put no two dots in a row")
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return reject("use only " + alphabet + ", '.', '_' and '-'")
		}
	}
	return nil
}
