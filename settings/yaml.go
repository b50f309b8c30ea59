package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func parseYAML(g *grower, content []byte) (*node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // nothing but comments
	case err != nil:
		return nil, yamlError(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, &malformed{line: second.Line, message: "a second document begins here: use one file for each"}
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	return growYAML(g, "", document.Content[0])
}

// yamlError finds the line in the message of the parser.
func yamlError(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if found := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); found != nil {
		line, _ = strconv.Atoi(found[1])
		message = message[len(found[0]):]
	}
	return &malformed{line: line, message: "this is not YAML: " + message}
}

// growYAML follows aliases: one that holds itself, or a few that grow beyond measure,
// meet the limits of the grower.
func growYAML(g *grower, segment string, y *yaml.Node) (*node, error) {
	if err := g.enter(segment); err != nil {
		return nil, err
	}
	defer g.leave()
	line := y.Line
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	n := g.node(null, "")
	n.at.Line = line
	switch y.Kind {
	case yaml.ScalarNode:
		return n, growYAMLScalar(n, y)
	case yaml.SequenceNode:
		n.kind = list
		for i, content := range y.Content {
			item, err := growYAML(g, strconv.Itoa(i), content)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
	case yaml.MappingNode:
		n.kind, n.fields = table, make(map[string]*node, len(y.Content)/2)
		return n, growYAMLMapping(g, n, y)
	}
	return n, nil
}

func growYAMLMapping(g *grower, n *node, y *yaml.Node) error {
	var merged []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return &malformed{line: key.Line, message: "a key must be a string"}
		}
		if first, there := n.fields[key.Value]; there {
			return twice(key.Value, key.Line, first.at.Line)
		}
		field, err := growYAML(g, key.Value, value)
		if err != nil {
			return err
		}
		field.at.Line = key.Line
		n.fields[key.Value] = field
	}
	for _, value := range merged {
		if err := mergeYAML(g, n, value); err != nil {
			return err
		}
	}
	return nil
}

// mergeYAML adds what << names to n, where n does not have it already
// (https://yaml.org/type/merge.html).
func mergeYAML(g *grower, n *node, value *yaml.Node) error {
	from, err := growYAML(g, "<<", value)
	if err != nil {
		return err
	}
	maps := []*node{from}
	if from.kind == list {
		maps = from.items
	}
	for _, m := range maps {
		if m.kind != table {
			return &malformed{line: value.Line, message: "<< merges maps and lists of maps, and this is " + m.kind.String()}
		}
		for name, field := range m.fields {
			if _, there := n.fields[name]; !there {
				n.fields[name] = field
			}
		}
	}
	return nil
}

func growYAMLScalar(n *node, y *yaml.Node) error {
	n.text = y.Value
	var err error
	switch tag := y.ShortTag(); tag {
	case "!!str", "!!timestamp":
		n.kind = text
	case "!!null":
		n.text = ""
	case "!!bool":
		var value bool
		err = y.Decode(&value)
		n.kind, n.text = boolean, strconv.FormatBool(value)
	case "!!int":
		n.kind = number
		var value int64
		if err = y.Decode(&value); err == nil {
			n.text = strconv.FormatInt(value, 10)
			break
		}
		var large uint64
		err = y.Decode(&large)
		n.text = strconv.FormatUint(large, 10)
	case "!!float":
		n.kind = number
		var value float64
		err = y.Decode(&value)
		if n.text = formatFloat(value); math.IsNaN(value) {
			err = errors.New("not a number is no setting")
		}
	default:
		err = fmt.Errorf("the tag %s is not known here: remove it", tag)
	}
	if err != nil {
		return &malformed{line: y.Line, message: err.Error()}
	}
	return nil
}
