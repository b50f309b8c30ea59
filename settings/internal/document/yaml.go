package document

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

func parseYAML(g *Grower, content []byte) (*Node, error) {
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
		return nil, &Malformed{Line: second.Line, Message: "a second document begins here: use one file for each"}
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
	return &Malformed{Line: line, Message: "this is not YAML: " + message}
}

// growYAML follows aliases: one that holds itself, or a few that grow beyond measure,
// meet the limits of the grower.
func growYAML(g *Grower, segment string, y *yaml.Node) (*Node, error) {
	if err := g.enter(segment); err != nil {
		return nil, err
	}
	defer g.leave()
	line := y.Line
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	n := g.node(Null, "")
	n.Line = line
	switch y.Kind {
	case yaml.ScalarNode:
		return n, growYAMLScalar(n, y)
	case yaml.SequenceNode:
		n.Kind = List
		for i, content := range y.Content {
			item, err := growYAML(g, strconv.Itoa(i), content)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case yaml.MappingNode:
		n.Kind, n.Fields = Table, make(map[string]*Node, len(y.Content)/2)
		return n, growYAMLMapping(g, n, y)
	}
	return n, nil
}

func growYAMLMapping(g *Grower, n *Node, y *yaml.Node) error {
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
			return &Malformed{Line: key.Line, Message: "a key must be a string"}
		}
		if first, there := n.Fields[key.Value]; there {
			return twice(key.Value, key.Line, first.Line)
		}
		field, err := growYAML(g, key.Value, value)
		if err != nil {
			return err
		}
		field.Line = key.Line
		n.Fields[key.Value] = field
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
func mergeYAML(g *Grower, n *Node, value *yaml.Node) error {
	from, err := growYAML(g, "<<", value)
	if err != nil {
		return err
	}
	maps := []*Node{from}
	if from.Kind == List {
		maps = from.Items
	}
	for _, m := range maps {
		if m.Kind != Table {
			return &Malformed{Line: value.Line, Message: "<< merges maps and lists of maps, and this is " + m.Kind.String()}
		}
		for name, field := range m.Fields {
			if _, there := n.Fields[name]; !there {
				n.Fields[name] = field
			}
		}
	}
	return nil
}

func growYAMLScalar(n *Node, y *yaml.Node) error {
	n.Text = y.Value
	var err error
	switch tag := y.ShortTag(); tag {
	case "!!str", "!!timestamp":
		n.Kind = Text
	case "!!null":
		n.Text = ""
	case "!!bool":
		var value bool
		err = y.Decode(&value)
		n.Kind, n.Text = Boolean, strconv.FormatBool(value)
	case "!!int":
		n.Kind = Number
		var value int64
		if err = y.Decode(&value); err == nil {
			n.Text = strconv.FormatInt(value, 10)
			break
		}
		var large uint64
		err = y.Decode(&large)
		n.Text = strconv.FormatUint(large, 10)
	case "!!float":
		n.Kind = Number
		var value float64
		err = y.Decode(&value)
		if n.Text = formatFloat(value); math.IsNaN(value) {
			err = errors.New("not a number is no setting")
		}
	default:
		err = fmt.Errorf("the tag %s is not known here: remove it", tag)
	}
	if err != nil {
		return &Malformed{Line: y.Line, Message: err.Error()}
	}
	return nil
}
