// Runs the method "forward" of a .pte file on every input of a file, with XNNPACK and without Python.
//
//     run_pte MODEL.pte INPUTS OUTPUT_FOLDER
//
// INPUTS holds raw float32 values of this machine's byte order, one input after the other. OUTPUT_FOLDER/0.f32, 1.f32, ... get
// the answers of the method's outputs, in the order of the inputs. Exit code 0: done; 1: ExecuTorch refused; 2: wrong usage or
// files. Errors go to stderr.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

using executorch::aten::ScalarType;
using executorch::extension::from_blob;
using executorch::extension::Module;
using executorch::runtime::Error;
using executorch::runtime::Result;

namespace {

enum Exit { kDone = 0, kRefused = 1, kUsage = 2 };

[[noreturn]] void stop(Exit code, const std::string& reason) {
  std::cerr << "run_pte: " << reason << '\n';
  std::exit(code);
}

template <typename T>
T& checked(Result<T>& result, const std::string& step) {
  if (!result.ok()) {
    stop(kRefused, step + ": ExecuTorch error " + std::to_string(static_cast<int>(result.error())));
  }
  return *result;
}

std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file || bytes.empty() || bytes.size() % sizeof(float) != 0) {
    stop(kUsage, path + " cannot be read, or does not hold float32 values");
  }
  const auto* values = reinterpret_cast<const float*>(bytes.data());
  return {values, values + bytes.size() / sizeof(float)};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    stop(kUsage, "usage: run_pte MODEL.pte INPUTS OUTPUT_FOLDER");
  }
  const std::string model = arguments[1], inputs = arguments[2], folder = arguments[3];

  Module module(model);
  auto method = module.method_meta("forward");
  const auto& meta = checked(method, model);
  auto taken = meta.input_tensor_meta(0);
  const auto& input = checked(taken, "the method's input");
  if (meta.num_inputs() != 1 || input.scalar_type() != ScalarType::Float) {
    stop(kUsage, model + " does not take one input of float32 values");
  }
  const size_t size = input.nbytes() / sizeof(float);
  const std::vector<executorch::aten::SizesType> shape(input.sizes().begin(), input.sizes().end());

  std::vector<float> values = read_floats(inputs);
  if (values.size() % size != 0) {
    stop(kUsage, inputs + ": " + std::to_string(values.size()) + " values are no multiple of an input's " + std::to_string(size));
  }

  std::vector<std::ofstream> files;
  for (size_t i = 0; i < meta.num_outputs(); ++i) {
    files.emplace_back(folder + "/" + std::to_string(i) + ".f32", std::ios::binary);
  }
  for (size_t start = 0; start < values.size(); start += size) {
    auto answered = module.forward(from_blob(values.data() + start, shape));
    const auto& answers = checked(answered, "forward");
    for (size_t i = 0; i < answers.size(); ++i) {
      const auto& tensor = answers[i].toTensor();
      if (tensor.scalar_type() != ScalarType::Float) {
        stop(kUsage, "output " + std::to_string(i) + " is not of float32 values");
      }
      files[i].write(reinterpret_cast<const char*>(tensor.const_data_ptr<float>()), static_cast<std::streamsize>(tensor.nbytes()));
    }
  }
  for (auto& file : files) {
    file.close();
    if (!file) {
      stop(kUsage, folder + " cannot be written to");
    }
  }
  return kDone;
}
