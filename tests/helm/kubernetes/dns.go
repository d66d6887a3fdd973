package main

import (
	"context"
	"net"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/dns/dnsmessage"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const zone = ".svc.cluster.local."

// dnsCommand answers for the cluster's Services alone, asking the API server each time: SERVICE.NAMESPACE.svc and
// POD.SERVICE.NAMESPACE.svc of a headless one.
func dnsCommand() *cobra.Command {
	var listen, kubeconfig string
	command := &cobra.Command{
		Use:  "dns",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			connection, err := net.ListenPacket("udp", listen)
			if err != nil {
				return err
			}
			for {
				buffer := make([]byte, 1500)
				count, from, err := connection.ReadFrom(buffer)
				if err != nil {
					return err
				}
				go func() {
					if answer := answerTo(buffer[:count], client); answer != nil {
						_, _ = connection.WriteTo(answer, from)
					}
				}()
			}
		},
	}
	command.Flags().StringVar(&listen, "listen", "", "address and port, UDP")
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	return command
}

func answerTo(packet []byte, client kubernetes.Interface) []byte {
	var message dnsmessage.Message
	if message.Unpack(packet) != nil || len(message.Questions) != 1 {
		return nil
	}
	question := message.Questions[0]
	message.Response, message.Authoritative, message.RecursionAvailable = true, true, true
	message.Additionals = nil // an OPT record is not ours to repeat
	addresses, known := lookUp(strings.ToLower(question.Name.String()), client)
	if !known {
		message.RCode = dnsmessage.RCodeNameError
	}
	for _, address := range addresses {
		if question.Type != dnsmessage.TypeA {
			break
		}
		message.Answers = append(message.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: address},
		})
	}
	answer, err := message.Pack()
	if err != nil {
		return nil
	}
	return answer
}

func lookUp(name string, client kubernetes.Interface) (addresses [][4]byte, known bool) {
	if !strings.HasSuffix(name, zone) {
		return nil, false
	}
	labels := strings.Split(strings.TrimSuffix(name, zone), ".")
	namespace := labels[len(labels)-1]
	add := func(text string) {
		if ip := net.ParseIP(text).To4(); ip != nil {
			addresses = append(addresses, [4]byte(ip))
		}
	}
	if len(labels) < 2 || len(labels) > 3 {
		return nil, false
	}
	service, err := client.CoreV1().Services(namespace).Get(context.Background(), labels[len(labels)-2], v1.GetOptions{})
	if err != nil {
		return nil, false
	}
	if len(labels) == 2 && service.Spec.ClusterIP != "None" {
		add(service.Spec.ClusterIP)
		return addresses, true
	}
	endpoints, err := client.DiscoveryV1().EndpointSlices(namespace).List(context.Background(),
		v1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service.Name})
	if err != nil {
		return nil, false
	}
	for _, slice := range endpoints.Items {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			if len(labels) == 2 && ready || len(labels) == 3 && endpoint.Hostname != nil && *endpoint.Hostname == labels[0] {
				for _, address := range endpoint.Addresses {
					add(address)
				}
			}
		}
	}
	return addresses, len(labels) == 2 || len(addresses) > 0
}
