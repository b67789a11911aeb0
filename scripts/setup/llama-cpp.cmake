# Included by llama.cpp's own project() (CMAKE_PROJECT_llama.cpp_INCLUDE): llama-cpp-python forces llama.cpp's common library on
# and then uses nothing of it, and it is a third of the compilation. A plain variable wins over the forced cache entry.
set(LLAMA_BUILD_COMMON OFF)
