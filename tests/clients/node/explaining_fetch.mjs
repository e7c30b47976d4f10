/** Fetches, and converts Polyant's errors to the form that OpenAI's clients expect. */
export async function explainingFetch(...request) {
  const response = await fetch(...request);
  if (response.ok) return response;
  const { message, error } = await response.json();
  return Response.json({ error: { message, type: error } }, { status: response.status, headers: response.headers });
}
