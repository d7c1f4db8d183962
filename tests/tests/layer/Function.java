import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Base64;

/** A function that speaks the Runtime API with Java's own client, which asks for HTTP/2 at first. It counts its calls. */
class Function {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        String invocation = "http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";
        for (int calls = 1; ; calls++) {
            HttpRequest next = HttpRequest.newBuilder(URI.create(invocation + "next")).build();
            HttpResponse<byte[]> event = client.send(next, BodyHandlers.ofByteArray());
            String id = event.headers().firstValue("Lambda-Runtime-Aws-Request-Id").orElseThrow();
            String answer = "{\"statusCode\": 200, \"calls\": " + calls + ", \"event\": \""
                + Base64.getEncoder().encodeToString(event.body()) + "\"}";
            HttpRequest response = HttpRequest.newBuilder(URI.create(invocation + id + "/response"))
                .POST(BodyPublishers.ofString(answer)).build();
            client.send(response, BodyHandlers.discarding());
        }
    }
}
