/** Fetches, and writes Polyant's errors in the form in which OpenAI's clients look for the message. */
export async function explainingFetch(...request) {
  const response = await fetch(...request);
  if (response.ok) return response;
  const { message, error } = await response.json();
  return Response.json({ error: { message, type: error } }, { status: response.status, headers: response.headers });
}
