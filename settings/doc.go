// Package settings fills a struct from layered sources, checks it, and follows the
// sources while the program runs.
//
//	type Config struct {
//		Listen string `default:":8080" doc:"Where the server listens." reload:"restart"`
//		HTTP   struct {
//			Timeout time.Duration `default:"5s" validate:"min=1ms"`
//		}
//		Token settings.Secret
//	}
//
//	live, err := settings.Load[Config](ctx,
//		settings.File("shop.yaml"),
//		settings.Folder("conf.d"),
//		settings.Env("SHOP_"))
//	...
//	defer live.Close()
//	live.Get().HTTP.Timeout
//
// # Sources
//
// Later sources win over earlier ones. Maps and structs are merged, everything else is
// replaced; what is absent or null falls back to the source before, and in the end to
// the field's default. [File], [OptionalFile] and [Folder] read YAML, TOML and JSON;
// [Env] and [Flags] read text; [Map] is values in memory; [From] takes any Provider of
// github.com/knadh/koanf/v2, which is the seam for other sources (package sourcetest
// holds its conformance suite).
//
// # Keys
//
// A key is the path of a field: http.timeout. Its canonical form is snake_case, and is
// what errors, [Live.Explain] and [Reference] show. In sources, upper and lower case
// are the same, and - and _ are ignored: max_size, maxSize, max-size and MAX_SIZE are
// one key. Keys of maps are the user's own, and taken as they are; one that has a dot
// is quoted in a path: labels."a.b".
//
// These tags of a field matter:
//
//	koanf:"name"       the name, if not that of the field; "-" leaves the field out
//	default:"5s"       the value if no source has one, as text (see below)
//	doc:"…"            what it is for, in the reference
//	validate:"min=1"   rules of github.com/go-playground/validator/v10
//	secret:"true"      its value is never shown
//	reload:"restart"   the program uses a change after a restart only; see [Status]
//
// # Values
//
// Fields are strings, booleans, numbers, time.Duration, [Size], [Secret], url.URL,
// types with an UnmarshalText method, structs, slices, maps with keys of string kind,
// pointers to these, and any. Types are strict in files: a number that is quoted is
// not a number, so that a mistake shows. In text (variables, flags, defaults, strings
// that were made by a reference, and those of a provider without a parser) numbers and
// booleans are recognised (0644 is octal, as in YAML), lists are separated by commas, and
// maps are written as name=value,name=value.
//
// A string of a file, a map or a provider may refer to the environment of the process:
// ${NAME}, or ${NAME:-fallback} for when it is unset or empty; $${ stands for ${. A
// string that begins with file: is replaced by the content of that file without the
// line break at its end, as in password: file:/run/secrets/db. A relative path starts
// at the folder of the settings file. Such files are followed like settings. A string that
// begins with file:// is a URL, and stays; $file: stands for file: at its begin.
//
// # Checks
//
// Unknown keys and values of the wrong type are errors that say where they are and what
// was probably meant. Then come the rules of the tags, then the method Validate() error
// of the struct and of the structs in it. [Load] and a reload report all that is wrong
// at once, in an [Error].
//
// # Changes
//
// A [Live] follows its files, folders and providers. A burst of changes is one reload.
// What cannot be read or is not valid changes nothing: the last good settings stay, the
// log and [Live.Status] say why, and the next change is tried again. Of an [Optional]
// source that cannot be read, what it last said stays, and the others are followed.
//
// Files are watched where they are, through symbolic links: editors that replace a file
// and the swapped links of Kubernetes are understood. An empty file counts as one that
// is just being written, and is refused; one with a comment or {} is not. To be sure that
// no half of a file is ever read, write another one and rename it.
//
// The package has no state of its own, and tells time by package time alone, so that it
// works in a testing/synctest bubble; with files there, use [WithPolling].
package settings
